import { XMLParser, XMLValidator } from "fast-xml-parser";

import { EngineFault } from "../engine-fault.ts";
import { isXmlObject, valuesOf, type XmlDocument, type XmlObject, type XmlValue } from "./xml-value.ts";

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  htmlEntities: true, // clients write numeric references such as &#xA; too
  processEntities: { enabled: true, maxExpandedLength: Number.POSITIVE_INFINITY }, // an OVF is nothing but entities
});

/** Reads a request body. Elements may come in any order; a reader ignores those that it does not look up. */
export function readXml(text: string): XmlNode {
  const { root, content } = parseXml(text);
  return new XmlNode(root, content);
}

/** A request body as plain data; without one, an element without a name. */
export function parseXml(text: string): XmlDocument {
  if (text.trim() === "") return { root: "", content: {} };
  if (XMLValidator.validate(text) !== true) throw malformed();
  const parsed: XmlObject = parser.parse(text);
  const root = Object.entries(parsed).find(([name]) => !name.startsWith("#"));
  if (root === undefined) throw malformed();
  const [name, value] = root;
  return { root: name, content: isXmlObject(value) ? value : { "#text": value } };
}

function malformed(): EngineFault {
  return new EngineFault(400, "Request syntactically incorrect.", "The request body is not well-formed XML.");
}

/** An element of a request body. A path names child elements from here on down. */
export class XmlNode {
  readonly name: string;
  readonly #value: XmlValue;

  constructor(name: string, value: XmlValue) {
    this.name = name;
    this.#value = value;
  }

  attribute(name: string): string | undefined {
    const value = isXmlObject(this.#value) ? this.#value[`@${name}`] : undefined;
    return typeof value === "string" && value !== "" ? value : undefined;
  }

  /** The same element as the only child of another one. */
  wrapped(name: string): XmlNode {
    return new XmlNode("", { [name]: this.#value });
  }

  /** The first child at this path. */
  child(...path: readonly string[]): XmlNode | undefined {
    return this.children(...path)[0];
  }

  /** All elements at this path, e.g. `children("disks", "disk")`. */
  children(...path: readonly string[]): readonly XmlNode[] {
    return path.reduce<readonly XmlNode[]>((nodes, name) => nodes.flatMap((node) => node.#named(name)), [this]);
  }

  /** Text at this path without surrounding space; undefined when absent or empty. */
  text(...path: readonly string[]): string | undefined {
    const [node] = this.children(...path);
    const text = node === undefined ? "" : node.#ownText().trim();
    return text === "" ? undefined : text;
  }

  /** Exact text at this path, empty or not; `undefined` when absent. */
  exactText(...path: readonly string[]): string | undefined {
    const [node] = this.children(...path);
    return node === undefined ? undefined : node.#ownText();
  }

  /** @throws EngineFault 400 when the text is no integer. */
  integer(...path: readonly string[]): number | undefined {
    const text = this.text(...path);
    if (text === undefined) return undefined;
    if (!/^-?\d+$/.test(text)) throw badValue(path, text);
    return Number(text);
  }

  /** @throws EngineFault 400 when the text is neither true nor false. */
  flag(...path: readonly string[]): boolean | undefined {
    const text = this.text(...path);
    if (text === undefined) return undefined;
    if (text !== "true" && text !== "false") throw badValue(path, text);
    return text === "true";
  }

  /** @throws EngineFault 400 when the text is none of the choices. */
  choice<T extends string>(choices: readonly T[], ...path: readonly string[]): T | undefined {
    const text = this.text(...path);
    if (text === undefined) return undefined;
    const found = choices.find((choice) => choice === text);
    if (found === undefined) throw badValue(path, text);
    return found;
  }

  /** Paths, joined by dots, of all elements below that have no elements themselves. */
  leafPaths(): readonly string[] {
    const value = this.#value;
    if (!isXmlObject(value)) return [];
    return Object.keys(value)
      .filter((name) => !/^[@#]/.test(name))
      .flatMap((name) =>
        this.#named(name).flatMap((node) => {
          const below = node.leafPaths();
          return below.length === 0 ? [name] : below.map((path) => `${name}.${path}`);
        }),
      );
  }

  #named(name: string): readonly XmlNode[] {
    return isXmlObject(this.#value) ? valuesOf(this.#value, name).map((value) => new XmlNode(name, value)) : [];
  }

  #ownText(): string {
    if (typeof this.#value === "string") return this.#value;
    const text = isXmlObject(this.#value) ? this.#value["#text"] : undefined;
    return typeof text === "string" ? text : "";
  }
}

function badValue(path: readonly string[], text: string): EngineFault {
  return new EngineFault(400, "Invalid value", `${text} is not a valid value of ${path.join(".")}.`);
}
