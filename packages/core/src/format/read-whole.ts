import { type CallOptions, type ObjectInfo, type ObjectKey, type ObjectStore, IntegrityError } from "@ovault/contract";

const MIB = 1024 * 1024;

/**
 * Upper limits in bytes, above any valid object of the kind and small enough for memory: an object is read whole only
 * after its size was checked.
 */
export const LARGEST = {
  /** Settings, keys, claims, voids, marks: the objects that are read first. */
  small: MIB,
  /** Records, and lists of packs and points. */
  record: 16 * MIB,
  /** A manifest carries the documents of its machine. */
  manifest: 64 * MIB,
} as const;

/**
 * Reads a whole object that a listing has shown.
 * @throws IntegrityError, before reading, when it is larger than `mostBytes`
 */
export async function readWhole(
  store: ObjectStore,
  { key, bytes }: ObjectInfo,
  mostBytes: number,
  options: CallOptions,
): Promise<Uint8Array> {
  if (bytes <= mostBytes) return await store.get(key, options);
  throw new IntegrityError(`${key} has ${bytes} bytes: too many to be what its name says`, {
    context: { key, bytes, mostBytes },
    hint: "ovault writes no object of this size: find out what it is, and what wrote it.",
  });
}

/** The same for an object that no listing has shown. */
export async function readKey(
  store: ObjectStore,
  key: ObjectKey,
  mostBytes: number,
  options: CallOptions,
): Promise<Uint8Array> {
  return await readWhole(store, await store.stat(key, options), mostBytes, options);
}
