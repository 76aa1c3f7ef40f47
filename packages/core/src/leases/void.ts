import type { ObjectKey, ObjectStore } from "@ovault/contract";
import { encodeDocument, typeOf } from "../format/document.ts";

const TYPE = "void";
const VERSION = 1;

/**
 * Takes the place of an object that a run must not put any more, unless it did already: of the two, one alone comes to
 * be. A void stays for ever, for nobody knows how long a machine may sleep in the middle of a put.
 */
export async function putVoid(
  store: ObjectStore,
  key: ObjectKey,
  value: { readonly runId: string; readonly at: string },
  signal: AbortSignal,
): Promise<void> {
  await store.put(key, [encodeDocument(TYPE, VERSION, value)], { ifAbsent: true, signal });
}

export function isVoid(object: Uint8Array): boolean {
  return typeOf(object) === TYPE;
}
