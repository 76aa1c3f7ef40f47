import { condemnedPacks } from "../repository/condemned-packs.ts";
import type { Repository } from "../repository/repository.ts";

/** Tells of packs whether it is damage that they are not there: the index lists them, and prune does not take them away. */
export function missedPacks({ condemned, index: { packs } }: Repository): (name: string) => boolean {
  const going = condemnedPacks(condemned);
  return (name) => packs.numberOf(name) !== undefined && !going.has(name);
}
