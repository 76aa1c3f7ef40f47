import { XMLParser, XMLValidator } from "fast-xml-parser";

import { EngineAnswerError } from "./errors.ts";
import { XmlElement } from "./xml-element.ts";
import type { SourceRange } from "./xml-element.ts";
import { decodeReferences } from "./xml-references.ts";

/** The engine nests about a dozen elements; nothing honest is deeper than this. */
const MAX_DEPTH = 64;

/** References are replaced by `decodeReferences`: the library counts them and refuses an answer with an OVF inside. */
const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: "",
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  cdataPropName: "#cdata",
  captureMetaData: true,
  maxNestedTags: MAX_DEPTH,
});

/**
 * Parses a document into its root element. Only the five predefined entities and character references are replaced;
 * a document type declaration is refused, so nothing in a document can expand.
 *
 * @throws {EngineAnswerError} when the text is not one well-formed document.
 */
export function parseXml(text: string): XmlElement {
  if (/<!DOCTYPE/i.test(text)) throw new EngineAnswerError("the XML declares a document type, which is refused");
  const validity = XMLValidator.validate(text);
  if (validity !== true) throw new EngineAnswerError(`the XML is not well-formed: ${validity.err.msg}`);
  const [root, ...others] = elementsOf(parseNodes(text));
  if (root === undefined || others.length > 0) throw new EngineAnswerError("the XML does not have exactly one root");
  return root;
}

/** The library's ordered form: `{ [tag]: nodes, ":@": attributes }`, `{ "#text": text }`, `{ "#cdata": nodes }`. */
type OrderedNode = Readonly<Record<string, unknown>>;

function parseNodes(text: string): OrderedNode[] {
  try {
    return nodesOf(parser.parse(text));
  } catch (error) {
    throw new EngineAnswerError("the XML is refused", { cause: error });
  }
}

function nodesOf(value: unknown): OrderedNode[] {
  return Array.isArray(value) ? value : [];
}

function elementsOf(nodes: readonly OrderedNode[]): XmlElement[] {
  return nodes.flatMap((node) => {
    const name = Object.keys(node).find((key) => key !== ":@");
    if (name === undefined || name.startsWith("#")) return [];
    const content = nodesOf(node[name]);
    return new XmlElement({
      name,
      attributes: attributesOf(node),
      children: elementsOf(content),
      text: content.map(textOf).join(""),
      source: sourceOf(node),
    });
  });
}

function attributesOf(node: OrderedNode): Map<string, string> {
  const attributes = Object.entries(node[":@"] ?? {});
  return new Map(attributes.map(([name, value]) => [name, decodeReferences(String(value))]));
}

function textOf(node: OrderedNode): string {
  if ("#text" in node) return decodeReferences(String(node["#text"]));
  return nodesOf(node["#cdata"])
    .map((part) => String(part["#text"] ?? ""))
    .join("");
}

/** The library keeps positions under a symbol of its own, the only one a node has. */
function sourceOf(node: OrderedNode): SourceRange {
  const [symbol] = Object.getOwnPropertySymbols(node);
  const range: unknown = symbol === undefined ? undefined : Reflect.get(node, symbol);
  if (typeof range !== "object" || range === null) return { start: 0, end: 0 };
  return { start: Number(Reflect.get(range, "startIndex")), end: Number(Reflect.get(range, "endIndex")) };
}
