import { decidedPacks } from "../repository/packs/condemned-packs.ts";
import type { Repository } from "../repository/repository.ts";

/**
 * Tells of packs whether it is damage that they are not there: the index lists them, and no verdict has let prune delete
 * them. What is only condemned is still there.
 */
export function missedPacks({ condemned, index: { packs } }: Repository): (name: string) => boolean {
  const going = decidedPacks(condemned);
  return (name) => packs.numberOf(name) !== undefined && !going.has(name);
}
