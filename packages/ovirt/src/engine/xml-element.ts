import { EngineAnswerError } from "./errors.ts";

/** Where an element stands in the text it was parsed from: `text.slice(start, end)` is the whole element. */
export interface SourceRange {
  readonly start: number;
  readonly end: number;
}

/**
 * One element of an answer. Readers ask for known elements by path: unknown elements and any order are fine.
 *
 * The last step of a path may be a child element or an attribute: `value("mac", "address")` reads both
 * `<mac><address>x</address></mac>` (version 4) and `<mac address="x"/>` (version 3). What is empty counts as absent.
 */
export class XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** The text of this element alone, as written: white space included, references replaced. */
  readonly text: string;
  readonly source: SourceRange;

  constructor(parts: Pick<XmlElement, "name" | "attributes" | "children" | "text" | "source">) {
    this.name = parts.name;
    this.attributes = parts.attributes;
    this.children = parts.children;
    this.text = parts.text;
    this.source = parts.source;
  }

  /** The first child of that name, or the first at the end of that path. */
  child(...path: readonly string[]): XmlElement | undefined {
    return path.reduce<XmlElement | undefined>(
      (element, name) => element?.children.find((child) => child.name === name),
      this,
    );
  }

  /** All children of that name. */
  all(name: string): XmlElement[] {
    return this.children.filter((child) => child.name === name);
  }

  /** All elements of that name at any depth, in document order. */
  descendants(name: string): XmlElement[] {
    return this.children.flatMap((child) => [...(child.name === name ? [child] : []), ...child.descendants(name)]);
  }

  /** Parses each `item` inside the `container` child; empty without a container. */
  list<T>(container: string, item: string, parse: (element: XmlElement) => T): T[] {
    return this.child(container)?.all(item).map(parse) ?? [];
  }

  value(...path: readonly string[]): string | undefined {
    const name = path.at(-1);
    if (name === undefined) return this.text.trim() || undefined;
    const owner = this.child(...path.slice(0, -1));
    return owner?.child(name)?.text.trim() || owner?.attributes.get(name) || undefined;
  }

  /** The `id` attribute of the element at the end of the path. */
  idOf(...path: readonly string[]): string | undefined {
    return this.child(...path)?.attributes.get("id") || undefined;
  }

  /** Version 4 writes `<status>up</status>`, version 3 `<status><state>up</state></status>`. */
  state(name: string): string | undefined {
    return this.value(name, "state") ?? this.value(name);
  }

  /** In any case: `True` too. @throws EngineAnswerError when the value is neither `true` nor `false` */
  bool(...path: readonly string[]): boolean | undefined {
    const value = this.value(...path)?.toLowerCase();
    if (value === undefined) return undefined;
    if (value !== "true" && value !== "false") throw this.#unexpected(path, value, "true or false");
    return value === "true";
  }

  /** @throws EngineAnswerError when the value is not a safe integer */
  int(...path: readonly string[]): number | undefined {
    const value = this.value(...path);
    if (value === undefined) return undefined;
    const number = Number(value);
    if (!/^-?\d+$/.test(value) || !Number.isSafeInteger(number)) throw this.#unexpected(path, value, "an integer");
    return number;
  }

  /** @throws EngineAnswerError when this is not an element of that name, or it has no `id` */
  requireId(name: string): string {
    this.require(name);
    const id = this.attributes.get("id");
    if (!id) throw new EngineAnswerError(`the engine sent a <${name}> without an id`);
    return id;
  }

  /** @throws EngineAnswerError when this is not an element of that name */
  require(name: string): this {
    if (this.name === name) return this;
    throw new EngineAnswerError(`the engine sent <${this.name}> where <${name}> belongs`, {
      context: { expected: name, received: this.name },
    });
  }

  #unexpected(path: readonly string[], value: string, wanted: string): EngineAnswerError {
    const place = [this.name, ...path].join("/");
    return new EngineAnswerError(`the engine sent "${value.slice(0, 40)}" as ${place}, which is not ${wanted}`, {
      context: { place },
    });
  }
}
