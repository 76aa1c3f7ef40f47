import { badRequest } from "../engine-fault.ts";
import type { XmlNode } from "./read-xml.ts";

/**
 * Refuses elements that the lab would drop, so that no client believes that they took effect.
 * @param known - paths of elements, including everything below them
 * @param what - e.g. `a VM`
 * @throws EngineFault 400 for an unknown element
 */
export function requireKept(body: XmlNode, known: readonly string[], what: string): void {
  const dropped = body.leafPaths().find((leaf) => !known.some((path) => leaf === path || leaf.startsWith(`${path}.`)));
  if (dropped !== undefined) throw badRequest(`The lab does not keep ${dropped} of ${what}.`);
}
