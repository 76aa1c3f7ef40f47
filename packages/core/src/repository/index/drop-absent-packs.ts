import type { ObjectStore } from "@ovault/contract";
import { BitSet } from "../../util/bit-set.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import { packNameIn, PACKS } from "../../format/layout.ts";
import { PackPresence } from "./pack-presence.ts";

/**
 * Drops packs from the index that the store does not have, by one listing: a removed pack holds nothing, whatever index
 * objects say. Packs that a lagging listing does not show are checked one by one.
 */
export async function dropAbsentPacks(store: ObjectStore, index: ChunkIndex, signal: AbortSignal): Promise<void> {
  const { packs } = index;
  // Packs that become known later were put later.
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
