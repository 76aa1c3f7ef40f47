import { FaultyStore } from "@ovault/testkit";

import { DEAD, hoursLater, type BlockSite } from "./block-site.ts";

/** Leaves something to do for every part of prune, and some points. */
export async function litter(site: BlockSite): Promise<void> {
  const [first, second] = [await site.backUp({ blocks: [1, 2, 3, 4] }), await site.backUp({ blocks: [1, 2, 5, 6] })];
  await site.backUp({ blocks: [1, 7, 5, 8] });
  await site.forget(first);
  // Condemned already, and decided but not carried out.
  await site.prune({ graceMs: 1e9 });
  const dying = new FaultyStore(site.store, { call: 3, kinds: ["delete"], when: "before", forGood: true });
  await site.prune({ clock: hoursLater(1), process: DEAD }, dying).catch(() => undefined);
  await site.forget(second);
  // Packs that no index object lists.
  const killed = new FaultyStore(site.store, { call: 2, kinds: ["put"], when: "after", forGood: true });
  await site.backUp({ blocks: [9, 10, 11], vm: "vm-2" }, killed, DEAD).catch(() => undefined);
}
