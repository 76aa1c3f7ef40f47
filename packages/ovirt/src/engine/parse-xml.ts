import { XMLValidator } from "fast-xml-parser";

import { EngineAnswerError } from "./errors.ts";
import { XmlElement } from "./xml-element.ts";
import { decodeReferences } from "./xml-references.ts";

/** The engine nests about a dozen elements; no genuine document is deeper than this. */
const MAX_DEPTH = 64;
/** The tree's memory grows with the number of elements: in engine documents each has some 30 characters, never 6. */
const CHARACTERS_PER_TAG = 5;
const SOME_TAGS = 10_000;
/** One tag with its attributes, which the parser reads in one go. */
const MAX_TAG_CHARACTERS = 1024 * 1024;
/** Names with a special meaning in programs that keep elements in objects. */
const TRAPS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map();
const NO_CHILDREN: readonly XmlElement[] = [];

/**
 * Parses a document into its root element. Replaces only the five predefined entities and character references; refuses
 * a document type declaration, so nothing in a document can expand. The tree takes at most some 30 times the memory of
 * the text: depth, tags per character and attributes of an element are bounded.
 *
 * @throws EngineAnswerError when the text is not one well-formed document.
 */
export function parseXml(text: string): XmlElement {
  if (/<!DOCTYPE/i.test(text)) throw new EngineAnswerError("the XML declares a document type, which is refused");
  assertShape(text);
  const validity = XMLValidator.validate(text);
  if (validity !== true) throw new EngineAnswerError(`the XML is not well-formed: ${validity.err.msg}`);
  const [root, ...others] = new TreeBuilder(text).build();
  if (root === undefined || others.length > 0) throw new EngineAnswerError("the XML does not have exactly one root");
  return root;
}

/** Runs before the tree is built. */
function assertShape(text: string): void {
  const mostTags = SOME_TAGS + text.length / CHARACTERS_PER_TAG;
  let tags = 0;
  for (let start = text.indexOf("<"); start >= 0; start = text.indexOf("<", start + 1)) {
    tags += 1;
    if (tags > mostTags) throw refused("it is hardly more than tags");
    const end = text.indexOf(">", start);
    if (end - start > MAX_TAG_CHARACTERS) throw refused("a tag is too long");
  }
}

interface OpenElement {
  readonly name: string;
  readonly start: number;
  readonly attributes: ReadonlyMap<string, string>;
  children: XmlElement[] | undefined;
  text: string;
}

/** Builds the tree of a well-formed text directly. */
class TreeBuilder {
  readonly #text: string;
  readonly #roots: XmlElement[] = [];
  readonly #open: OpenElement[] = [];
  /** Interns element names: one string each, which does not keep the text alive. */
  readonly #names = new Map<string, string>();
  constructor(text: string) {
    this.#text = text;
  }

  build(): readonly XmlElement[] {
    const text = this.#text;
    for (let position = 0; position < text.length;) {
      const start = text.indexOf("<", position);
      this.#append(decodeReferences(text.slice(position, start < 0 ? undefined : start)));
      if (start < 0) break;
      position = this.#read(start);
    }
    if (this.#open.length > 0) throw refused("an element has no end");
    return this.#roots;
  }

  /** Reads what begins with `<` at `start`; returns the position after it. */
  #read(start: number): number {
    const text = this.#text;
    if (text.startsWith("<!--", start)) return this.#after("-->", start + 4);
    if (text.startsWith("<?", start)) return this.#after("?>", start + 2);
    if (text.startsWith("<![CDATA[", start)) {
      const end = this.#after("]]>", start + 9);
      this.#append(text.slice(start + 9, end - 3));
      return end;
    }
    if (text.startsWith("</", start)) {
      const end = this.#after(">", start);
      this.#close(text.slice(start + 2, end - 1).trim(), end);
      return end;
    }
    return this.#readTag(start);
  }

  #readTag(start: number): number {
    const text = this.#text;
    NAME.lastIndex = start + 1;
    const name = this.#nameOf(NAME.exec(text)?.[0]);
    const attributes = this.#readAttributes();
    TAG_END.lastIndex = NAME.lastIndex;
    const tagEnd = TAG_END.exec(text);
    if (tagEnd === null) throw refused("a tag has no end");
    if (this.#open.length >= MAX_DEPTH) throw refused(`elements are nested deeper than ${MAX_DEPTH}`);
    this.#open.push({ name, start, attributes, children: undefined, text: "" });
    if (tagEnd[1] === "/") this.#close(name, TAG_END.lastIndex);
    return TAG_END.lastIndex;
  }

  /** Reads from the position of `NAME`; leaves the position after the attributes. */
  #readAttributes(): ReadonlyMap<string, string> {
    let attributes: Map<string, string> | undefined;
    ATTRIBUTE.lastIndex = NAME.lastIndex;
    for (let found = ATTRIBUTE.exec(this.#text); found !== null; found = ATTRIBUTE.exec(this.#text)) {
      attributes ??= new Map();
      attributes.set(this.#nameOf(found[1]), decodeReferences(found[2] ?? found[3] ?? ""));
      NAME.lastIndex = ATTRIBUTE.lastIndex;
    }
    return attributes ?? NO_ATTRIBUTES;
  }

  #close(name: string, end: number): void {
    const open = this.#open.pop();
    if (open?.name !== name) throw refused(`</${name}> ends another element`);
    const { start, attributes, children = NO_CHILDREN, text } = open;
    const element = new XmlElement({ name: open.name, attributes, children, text, source: { start, end } });
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#roots.push(element);
    else (parent.children ??= []).push(element);
  }

  #append(text: string): void {
    const parent = this.#open.at(-1);
    if (parent !== undefined && text !== "") parent.text += text;
  }

  #after(end: string, from: number): number {
    const found = this.#text.indexOf(end, from);
    if (found < 0) throw refused(`"${end}" is missing`);
    return found + end.length;
  }

  #nameOf(name: string | undefined): string {
    if (name === undefined || TRAPS.has(name)) throw refused(`a name is ${JSON.stringify(name ?? "")}`);
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    this.#names.set(name, name);
    return name;
  }
}

const NAME = /[^\s/>=]+/y;
const ATTRIBUTE = /\s+([^\s/>=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/y;
const TAG_END = /\s*(\/?)>/y;

function refused(reason: string): EngineAnswerError {
  return new EngineAnswerError(`the XML is refused: ${reason}`);
}
