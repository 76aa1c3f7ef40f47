import type { DiskLosses } from "../repository/damage/lost-ranges.ts";
import type { SettledDamage } from "../verify/settle-damage.ts";
import type { VerifyProgress } from "../verify/verify-report.ts";
import type { ForeignObjects } from "../repository/survey-store.ts";

export interface RepairOptions {
  /** Finds out what would be done. Changes nothing and takes no lease. */
  readonly dryRun?: boolean;
  /** Reads every pack first, so that damage is known that nobody met yet. */
  readonly readData?: boolean;
  /** Manifests that do not prove themselves are deleted; otherwise they are only told. */
  readonly removeDamagedManifests?: boolean;
  /** Leases that do not say who holds them are given back; otherwise they are only told. No run may be at work. */
  readonly freeDamagedLeases?: boolean;
  /** When prune or another repair is at work. */
  readonly ifBusy?: "refuse" | "wait";
  /** Called before the repair waits for a sign of life of a run that seems dead. `message`: one line for people. */
  readonly onDoubt?: (message: string) => void;
  /** Packs in flight. */
  readonly lanes?: number;
  /** Told what is being done, for people. */
  readonly onStep?: (step: string) => void;
  /** While packs are read. */
  readonly onProgress?: (progress: VerifyProgress) => void;
  readonly signal: AbortSignal;
}

/** Something that is not as it was written, and whether it was removed. With `dryRun`: whether it would be. */
export interface DamagedThing {
  readonly name: string;
  readonly reason: string;
  readonly removed: boolean;
}

/** A point that cannot be restored as it was. */
export interface PointLosses {
  readonly point: string;
  readonly vm: { readonly id: string; readonly name: string; readonly manager: string };
  readonly takenAt: string;
  readonly lostBytes: number;
  readonly disks: readonly DiskLosses[];
}

/** What was found and done; with `dryRun`, what would be done. */
export interface RepairReport {
  readonly dryRun: boolean;
  /** Index objects. */
  readonly index: readonly DamagedThing[];
  /** Packs that are listed again. */
  readonly packsListed: number;
  /** Packs that are missing, cut, or hold damaged chunks: one sentence each. */
  readonly packs: readonly string[];
  /** Places that do not hold the chunk they should. */
  readonly places: SettledDamage;
  /** Chunks that lay in packs under wrong names and were stored again. */
  readonly rescued: number;
  /** Pages of block maps that lay in one pack only, and were stored in a second one. */
  readonly pagesStored: number;
  /** Points that were looked at. */
  readonly points: number;
  /** Those that have lost data. */
  readonly lost: readonly PointLosses[];
  /** Ids of points that had lost data and have it back. */
  readonly healed: readonly string[];
  readonly manifests: readonly DamagedThing[];
  readonly leases: readonly DamagedThing[];
  /** Records and lists that say nothing any more. */
  readonly records: readonly DamagedThing[];
  /** What is not of ovault. It is left alone. */
  readonly foreign: ForeignObjects;
}
