import { FaultyStore } from "@ovault/testkit";

import { DEAD, hoursLater, type Yard } from "./yard.ts";

/** Leaves something to do for every part of prune, and some points. */
export async function litter(yard: Yard): Promise<void> {
  const [first, second] = [await yard.backUp({ blocks: [1, 2, 3, 4] }), await yard.backUp({ blocks: [1, 2, 5, 6] })];
  await yard.backUp({ blocks: [1, 7, 5, 8] });
  await yard.forget(first);
  // Condemned already, and decided but not carried out.
  await yard.prune({ graceMs: 1e9 });
  const dying = new FaultyStore(yard.store, { call: 3, kinds: ["delete"], when: "before", forGood: true });
  await yard.prune({ clock: hoursLater(1), process: DEAD }, dying).catch(() => undefined);
  await yard.forget(second);
  // Packs that no index object lists.
  const killed = new FaultyStore(yard.store, { call: 2, kinds: ["put"], when: "after", forGood: true });
  await yard.backUp({ blocks: [9, 10, 11], vm: "vm-2" }, killed, DEAD).catch(() => undefined);
}
