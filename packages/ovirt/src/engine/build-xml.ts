import { escapeXml } from "./xml-references.ts";

/** Escaped XML, made by the functions of this file only. */
export interface XmlFragment {
  readonly xml: string;
}

/** What can stand inside an element. `undefined` is left out. */
export type XmlContent = string | number | boolean | undefined | XmlFragment | readonly XmlContent[];

/** An element with attributes; those that are `undefined` are left out. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | undefined>>,
  ...content: readonly XmlContent[]
): XmlFragment {
  const start = Object.entries(attributes).reduce(
    (text, [key, value]) => (value === undefined ? text : `${text} ${key}="${escapeXml(value)}"`),
    name,
  );
  const inner = render(content);
  return { xml: inner === "" ? `<${start}/>` : `<${start}>${inner}</${name}>` };
}

/** An element with content alone; no element at all when the content is `undefined`, so optional fields need no `if`. */
export function field(name: string, content: XmlContent): XmlFragment | undefined {
  return content === undefined ? undefined : element(name, {}, content);
}

/** An element that points to an entity: `<disk id="…"/>`; undefined without an id. */
export function reference(name: string, id: string | undefined): XmlFragment | undefined {
  return id === undefined ? undefined : element(name, { id });
}

function render(content: XmlContent): string {
  if (content === undefined) return "";
  if (typeof content !== "object") return escapeXml(String(content));
  return "xml" in content ? content.xml : content.map(render).join("");
}
