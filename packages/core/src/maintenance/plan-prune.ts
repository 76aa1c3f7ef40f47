import type { ChunkIndex } from "../repository/index/chunk-index.ts";
import type { PackSurvey } from "./pack-survey.ts";
import type { PackUse } from "./pack-use.ts";

export interface RepackLimits {
  /** Packs with at least this dead share (0 to 1) are emptied: their live chunks are copied to new packs. */
  readonly minDeadShare: number;
  /** Limit of bytes copied or proved in one prune. */
  readonly budgetBytes: number;
}

/** Packs by their numbers in the index. */
export interface PrunePlan {
  /** Packs in which nothing is needed. */
  readonly dead: readonly number[];
  /**
   * Packs whose needed chunks are in other packs too, or will be copied; those that free most per copied byte first.
   */
  readonly emptied: readonly number[];
}

/** Plans what to condemn: only packs for which `mayGo` is true, and that are not condemned yet. */
export function planPrune(
  index: ChunkIndex,
  {
    survey,
    use,
    mayGo,
    limits,
  }: {
    readonly survey: PackSurvey;
    readonly use: PackUse;
    readonly mayGo: (pack: number) => boolean;
    readonly limits: RepackLimits;
  },
): PrunePlan {
  const dead: number[] = [];
  const candidates: { readonly pack: number; readonly cost: number; readonly gain: number }[] = [];
  for (let pack = 0; pack < index.packs.length; pack += 1) {
    if (!index.packs.isUsable(pack) || !survey.early.has(pack) || !mayGo(pack)) continue;
    const [all, kept] = [use.allOf(pack), use.keptOf(pack)];
    const cost = kept + use.copiesIn(pack);
    if (cost === 0) dead.push(pack);
    else if (all > kept && all - kept >= all * limits.minDeadShare) {
      candidates.push({ pack, cost, gain: survey.bytesOf(pack) - kept });
    }
  }
  candidates.sort((a, b) => b.gain / b.cost - a.gain / a.cost);
  const emptied: number[] = [];
  let budget = limits.budgetBytes;
  for (const { pack, cost } of candidates) {
    if (cost > budget) continue;
    budget -= cost;
    emptied.push(pack);
  }
  return { dead, emptied };
}
