import type { XmlElement } from "../engine/xml-element.ts";

/**
 * Parses a collection answer, e.g. `<vms><vm/>…</vms>`. An empty one is a collection without entries.
 *
 * @throws EngineAnswerError when the root is another element.
 */
export function parseList<T>(
  root: XmlElement,
  collection: string,
  item: string,
  parse: (element: XmlElement) => T,
): readonly T[] {
  return root.require(collection).all(item).map(parse);
}
