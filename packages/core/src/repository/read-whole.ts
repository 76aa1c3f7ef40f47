import type { CallOptions, ObjectInfo, ObjectStore } from "../contract/object-store.ts";
import { IntegrityError } from "../errors/errors.ts";
import { MAX_PACK_BYTES } from "./pack-format.ts";

/** An object that a listing showed. @throws IntegrityError for one that is too large to be ours, before it is read. */
export async function readWhole(
  store: ObjectStore,
  { key, bytes }: ObjectInfo,
  options: CallOptions,
): Promise<Uint8Array> {
  if (bytes <= MAX_PACK_BYTES) return await store.get(key, options);
  throw new IntegrityError(`${key} is too large to be what its name says`, { context: { key, bytes } });
}
