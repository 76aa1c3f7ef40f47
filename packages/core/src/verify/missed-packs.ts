import { decidedPacks } from "../repository/packs/condemned-packs.ts";
import type { Repository } from "../repository/repository.ts";

/**
 * Answers for a pack whether its absence is damage: the index lists it, and no verdict lets prune delete it. A pack
 * that is only condemned still exists.
 */
export function missedPacks({ condemned, index: { packs } }: Repository): (name: string) => boolean {
  const going = decidedPacks(condemned);
  return (name) => packs.numberOf(name) !== undefined && !going.has(name);
}
