import type { DiskLosses } from "../points/lost-ranges.ts";
import type { SettledDamage } from "../verify/settle-damage.ts";
import type { VerifyProgress } from "../verify/verify-report.ts";
import type { ForeignObjects } from "../repository/survey-store.ts";

export interface RepairOptions {
  /** Default: a new one. */
  readonly runId?: string;
  /** Only finds out what would be done. Changes nothing and takes no lease. */
  readonly dryRun?: boolean;
  /** Reads every pack first, to find damage that is not known yet. */
  readonly readData?: boolean;
  /** Deletes damaged manifests; by default they are only reported. */
  readonly removeDamagedManifests?: boolean;
  /** Frees leases whose holder is unreadable; by default they are only reported. No run may be active. */
  readonly freeDamagedLeases?: boolean;
  /** What to do while prune or another repair is running. */
  readonly ifBusy?: "refuse" | "wait";
  /** Called before the repair waits for a prune or another repair. `message`: which one, for people. */
  readonly onWait?: (message: string) => void;
  /** Called before the repair waits for a beat of a run that seems dead. `message`: one line for people. */
  readonly onDoubt?: (message: string) => void;
  /** Packs in flight. */
  readonly lanes?: number;
  /** Receives the current step, for people. */
  readonly onStep?: (step: string) => void;
  /** Called while packs are read. */
  readonly onProgress?: (progress: VerifyProgress) => void;
  readonly signal: AbortSignal;
}

/** A damaged object, and whether it was removed. With `dryRun`: whether it would be. */
export interface DamagedThing {
  readonly name: string;
  readonly reason: string;
  readonly removed: boolean;
}

/** A point that cannot be restored intact. */
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
  /** Packs that were listed again. */
  readonly packsListed: number;
  /** Packs that are missing, truncated, or hold damaged chunks: one sentence each. */
  readonly packs: readonly string[];
  /** Places that do not hold their chunk. */
  readonly places: SettledDamage;
  /** Chunks found in packs under wrong names and stored again. */
  readonly rescued: number;
  /** Pages of block maps with one copy, whose second copy was stored. */
  readonly pagesStored: number;
  /** Points that were checked. */
  readonly points: number;
  /** Points that have lost data. */
  readonly lost: readonly PointLosses[];
  /** Ids of points that had lost data and are complete again. */
  readonly healed: readonly string[];
  readonly manifests: readonly DamagedThing[];
  readonly leases: readonly DamagedThing[];
  /** Damaged records and lists. */
  readonly records: readonly DamagedThing[];
  /** Objects that ovault did not make. Repair leaves them alone. */
  readonly foreign: ForeignObjects;
}
