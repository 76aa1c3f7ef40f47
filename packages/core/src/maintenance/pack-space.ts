import { condemnedPacks, decidedPacks } from "../repository/packs/condemned-packs.ts";
import { mayBeOf } from "../format/layout.ts";
import type { Repository } from "../repository/repository.ts";
import type { PackSurvey } from "./pack-survey.ts";
import type { PackUse } from "./pack-use.ts";

export interface PackSpaceOptions {
  readonly survey: PackSurvey;
  readonly use: PackUse;
  /** Ids of the runs that were active after packs had been listed. */
  readonly running: readonly string[];
}

/** Packs as objects of the store. */
export interface PackSum {
  readonly packs: number;
  readonly bytes: number;
}

/** What the packs of a store hold, in bytes. Every pack is counted once in these sums. */
export interface PackSpace {
  readonly dataBytes: number;
  readonly pageBytes: number;
  readonly packBytes: number;
  readonly deadBytes: number;
  readonly deadPacks: PackSum;
  readonly underWay: PackSum;
  readonly condemned: PackSum;
  readonly deletable: PackSum;
  readonly unreadable: PackSum;
}

/** `live`: something in the pack is needed, or is a second copy; only a repack frees the pack. */
type Kind = "live" | "deadPacks" | "underWay" | "condemned" | "deletable" | "unreadable";

export function packSpace(repository: Repository, options: PackSpaceOptions): PackSpace {
  const { index } = repository;
  const { survey, use } = options;
  const kindOf = sorter(repository, options);
  const sums: Record<Kind, { packs: number; bytes: number }> = {
    live: { packs: 0, bytes: 0 },
    deadPacks: { packs: 0, bytes: 0 },
    underWay: { packs: 0, bytes: 0 },
    condemned: { packs: 0, bytes: 0 },
    deletable: { packs: 0, bytes: 0 },
    unreadable: { packs: 0, bytes: 0 },
  };
  const live = { data: 0, pages: 0, packs: 0, dead: 0 };
  for (const { name, bytes } of survey.packs(index)) {
    const pack = index.packs.numberOf(name);
    const kind = kindOf(name, pack);
    sums[kind].packs += 1;
    sums[kind].bytes += bytes;
    if (kind !== "live" || pack === undefined) continue;
    const [all, kept] = [use.allOf(pack), use.keptOf(pack)];
    live[index.packs.at(pack).kind] += kept;
    live.dead += all - kept;
    live.packs += bytes - all;
  }
  const { live: _, ...rest } = sums;
  return { dataBytes: live.data, pageBytes: live.pages, packBytes: live.packs, deadBytes: live.dead, ...rest };
}

function sorter({ index, condemned }: Repository, { use, running }: PackSpaceOptions) {
  const decided = decidedPacks(condemned);
  const waiting = condemnedPacks(condemned);
  return (name: string, pack: number | undefined): Kind => {
    if (decided.has(name)) return "deletable";
    if (pack === undefined) return "unreadable";
    const copies = index.packs.isUsable(pack) ? use.copiesIn(pack) : 0;
    if (use.keptOf(pack) + copies > 0) return "live";
    if (waiting.has(name)) return "condemned";
    return running.some((run) => mayBeOf(run, name)) ? "underWay" : "deadPacks";
  };
}
