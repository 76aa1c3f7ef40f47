import type { ObjectKey, ObjectStore } from "@ovault/contract";
import { encodeDocument, typeOf } from "../format/document.ts";

const TYPE = "void";
const VERSION = 1;

/**
 * Puts a void in the place of an object that a run must not put any more: exactly one of manifest and void exists.
 * Voids are never deleted: a suspended put may arrive at any time.
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
