import type { ObjectStore } from "@ovault/contract";
import { BitSet } from "../../util/bit-set.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import { packNameIn, PACKS } from "../../format/layout.ts";
import { PackPresence } from "./pack-presence.ts";

/**
 * Drops packs from the index that are not in the store, by one listing: a pack that was taken away is no place of anything,
 * whatever index objects say. Packs that a listing does not show because it lags behind are asked for.
 */
export async function dropAbsentPacks(store: ObjectStore, index: ChunkIndex, signal: AbortSignal): Promise<void> {
  const { packs } = index;
  // What comes to be known later was put later.
  const known = packs.length;
  const listed = new BitSet();
  for await (const { key } of store.list(PACKS, { signal })) {
    const name = packNameIn(key);
    const pack = name === undefined ? undefined : packs.numberOf(name);
    if (pack !== undefined) listed.add(pack);
  }
  const presence = new PackPresence({ store, index, signal });
  for (let pack = 0; pack < known; pack += 1) {
    if (!packs.isGone(pack) && !listed.has(pack)) await presence.ask(pack);
  }
}
