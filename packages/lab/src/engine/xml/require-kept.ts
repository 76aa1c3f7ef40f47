import { badRequest } from "../engine-fault.ts";
import type { XmlNode } from "./read-xml.ts";

/**
 * Refuses what would be dropped, so that no client believes that it was done.
 * @param known - paths of elements, with all that lies below them
 * @param what - e.g. `a VM`
 * @throws EngineFault 400 for an element that is none of these
 */
export function requireKept(body: XmlNode, known: readonly string[], what: string): void {
  const dropped = body.leafPaths().find((leaf) => !known.some((path) => leaf === path || leaf.startsWith(`${path}.`)));
  if (dropped !== undefined) throw badRequest(`The lab does not keep ${dropped} of ${what}.`);
}
