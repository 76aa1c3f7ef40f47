import { listPacksAnew } from "../repair/repair-index.ts";
import { condemnedPacks } from "../repository/packs/condemned-packs.ts";
import type { Repository } from "../repository/repository.ts";
import { listPacks } from "../verify/list-packs.ts";

const LANES = 8;

/**
 * Indexes the packs that no index object lists, so that this run can use what a killed run stored. Call it in a run
 * that has announced itself: a prune that would delete these packs waits for it.
 */
export async function adoptPacks(repository: Repository, signal: AbortSignal): Promise<void> {
  const { store, index, condemned } = repository;
  const going = condemnedPacks(condemned);
  const packs = await listPacks(store, signal);
  const unlisted = [...packs].filter(([name]) => index.packs.numberOf(name) === undefined && !going.has(name));
  const { count } = await listPacksAnew(repository, unlisted, { lanes: LANES, signal });
  if (count > 0) await repository.refresh(signal);
}
