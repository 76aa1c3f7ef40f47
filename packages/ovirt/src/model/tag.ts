import type { XmlElement } from "../engine/xml-element.ts";

/** Parses one `<tag>`. Its name is unique in the engine and sufficient. */
export function parseTagName(element: XmlElement): string {
  return element.value("name") ?? "";
}
