import { type XmlContent, type XmlFragment, element } from "./build-xml.ts";
import { writable } from "./xml-references.ts";
import type { XmlElement } from "./xml-element.ts";

/** An element as it was parsed, as XML again: without links, comments and what XML cannot hold. */
export function renderElement({ name, attributes, children, text }: XmlElement): XmlFragment {
  const kept = [...attributes].filter(([attribute]) => attribute !== "href");
  const written = kept.map(([attribute, value]) => [attribute, writable(value)] as const);
  const content: XmlContent = children.length > 0 ? children.map(renderElement) : writable(text);
  return element(name, Object.fromEntries(written), content);
}
