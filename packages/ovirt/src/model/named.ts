import type { XmlElement } from "../engine/xml-element.ts";

/** An entity reduced to its id and name. */
export interface Named {
  readonly id: string;
  /** The id where the engine reports no name. */
  readonly name: string;
}

/** Parses one `<name>` element of an entity. */
export function parseNamed(entity: XmlElement, name: string): Named {
  const id = entity.requireId(name);
  return { id, name: entity.value("name") ?? id };
}
