import type { ObjectInfo, ObjectStore } from "@ovault/contract";
import { packKey, packNameIn, PACKS } from "../format/layout.ts";

/** Bytes of every pack in the store, by name. */
export async function listPacks(store: ObjectStore, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const packs = new Map<string, number>();
  for await (const { key, bytes } of store.list(PACKS, { signal })) {
    const name = packNameIn(key);
    if (name !== undefined) packs.set(name, bytes);
  }
  return packs;
}

/** Some of these packs, as a listing of the store would show them. */
export async function* packInfos(packs: Iterable<readonly [name: string, bytes: number]>): AsyncGenerator<ObjectInfo> {
  for (const [name, bytes] of packs) yield { key: packKey(name), bytes };
}
