import type { LeaseHolder } from "../leases/lease-folder.ts";
import type { Clock } from "@ovault/contract";
import type { RepackLimits } from "./plan-prune.ts";
import type { RunInTheWay } from "./runs-in-the-way.ts";

/** For readers, such as the restore of a point that was forgotten meanwhile, and for listings that lag behind. */
export const DEFAULT_GRACE_MS = 24 * 60 * 60 * 1000;
export const DEFAULT_REPACK: RepackLimits = { minDeadShare: 0.5, budgetBytes: 2 * 1024 ** 3 };

export interface PruneOptions {
  /** So long what is condemned stays at least; 0 is for stores whose listings never lag, with nobody who restores. */
  readonly graceMs?: number;
  readonly repack?: RepackLimits;
  /** Frees what only lost pages may lead to: should they be found again, what was below them is gone. */
  readonly giveUpLost?: boolean;
  /** Changes nothing, and takes no lease. */
  readonly dryRun?: boolean;
  /** When another prune or a repair is at work. */
  readonly ifBusy?: "refuse" | "wait";
  readonly onProgress?: (progress: PruneProgress) => void;
  /** Called before prune waits for a sign of life of a run that seems dead. `message`: one line for people. */
  readonly onDoubt?: (message: string) => void;
  readonly signal: AbortSignal;
  /** Of the leases that prune takes; this process by default. */
  readonly holder?: LeaseHolder;
  readonly clock?: Clock;
}

export type PruneStep =
  | "listing packs"
  | "reading block maps"
  | "waiting a minute for listings that lag behind"
  | "copying"
  | "proving"
  | "deleting"
  | "extending locks";

/** What is being done, and what was done so far. Sizes in bytes. */
export interface PruneProgress {
  readonly step: PruneStep;
  /** Pages of block maps that were read. */
  readonly pages: number;
  readonly copiedBytes: number;
  readonly provedBytes: number;
  readonly freedPacks: number;
  readonly freedBytes: number;
  readonly extendedLocks: number;
}

/** What was done; with `dryRun`, what would be. Sizes in bytes, as packs take them in the store. */
export interface PruneReport {
  readonly dryRun: boolean;
  /** Deleted now. */
  readonly freedPacks: number;
  readonly freedBytes: number;
  /** Manifests of forgotten points that were deleted now. */
  readonly deletedPoints: number;
  /** Condemned, and waiting: for the end of the grace time, or for runs. */
  readonly condemnedPacks: number;
  readonly condemnedBytes: number;
  /** When the grace time of the first of them is over, ISO 8601; null when nothing waits for that. */
  readonly graceUntil: string | null;
  /** Runs that may still rely on what is condemned and old enough to go. */
  readonly heldBy: readonly RunInTheWay[];
  /** Ids of points with pages of block maps that are lost: while there are any, no packs are condemned or deleted. */
  readonly heldByLosses: readonly string[];
  /** To be deleted as soon as the store lets go of it. */
  readonly lockedPacks: number;
  readonly lockedBytes: number;
  /** When the first of these locks ends, ISO 8601. */
  readonly lockedUntil: string | null;
  /** Emptied because most of them was dead, and condemned; and what of them was copied. */
  readonly repackedPacks: number;
  readonly copiedBytes: number;
  /** Were condemned, and are needed again. */
  readonly reprievedPacks: number;
  readonly reprievedBytes: number;
  /** Stay, for points need them. */
  readonly keptPacks: number;
  readonly keptBytes: number;
  /** Keys of packs that no index object lists and that do not tell what they hold. They are left alone. */
  readonly unreadablePacks: readonly string[];
  /** Keys of packs that are not those of their names, and hold what may be needed. They are left alone. */
  readonly misplacedPacks: readonly string[];
  /** Objects whose lock was extended. */
  readonly extendedLocks: number;
}
