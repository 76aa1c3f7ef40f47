import { element, type XmlContent, type XmlFragment } from "../engine/build-xml.ts";

/** The body of `POST …/ACTION`. */
export function action(...content: readonly XmlContent[]): XmlFragment {
  return element("action", {}, ...content);
}
