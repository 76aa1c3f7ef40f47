import { incomplete, unknownEntity } from "./engine-fault.ts";
import type { Named } from "./engine-state.ts";
import type { XmlNode } from "./xml/read-xml.ts";

/**
 * What an element such as `<cluster id="…"/>` or `<cluster><name>…</name></cluster>` refers to.
 * @param root - what needs it, in the engine's words
 * @throws EngineFault 404 when it names nothing that is there, 400 when it is missing
 */
export function findNamed<T extends Named>(all: readonly T[], root: string, body: XmlNode, element: string): T {
  const [id, name] = [body.child(element)?.attribute("id"), body.text(element, "name")];
  if (id === undefined && name === undefined) throw incomplete(root, `${element}.id|name`);
  const found = all.find((candidate) => (id === undefined ? candidate.name === name : candidate.id === id));
  if (found === undefined) throw unknownEntity(`${root}: ${id === undefined ? `name=${name}` : `id=${id}`}`);
  return found;
}
