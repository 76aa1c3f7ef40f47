import type { LeaseHolder } from "../leases/lease-folder.ts";
import type { Clock } from "@ovault/contract";
import type { RepackLimits } from "./plan-prune.ts";
import type { BlockingRun } from "./blocking-runs.ts";

/** For readers, such as the restore of a point forgotten meanwhile, and for listings that lag. */
export const DEFAULT_GRACE_MS = 24 * 60 * 60 * 1000;
export const DEFAULT_REPACK: RepackLimits = { minDeadShare: 0.5, budgetBytes: 2 * 1024 ** 3 };

export interface PruneOptions {
  /**
   * Shortest time between condemning and deleting; 0 is for stores whose listings never lag, without concurrent
   * restores.
   */
  readonly graceMs?: number;
  readonly repack?: RepackLimits;
  /** Frees what only lost pages may lead to: if they are found again, what was below them is gone. */
  readonly giveUpLost?: boolean;
  /** Changes nothing and takes no lease. */
  readonly dryRun?: boolean;
  /** What to do while another prune or a repair is running. */
  readonly ifBusy?: "refuse" | "wait";
  readonly onProgress?: (progress: PruneProgress) => void;
  /** Called before prune waits for a repair or another prune. `message`: which one, for people. */
  readonly onWait?: (message: string) => void;
  /** Called before prune waits for a beat of a run that seems dead. `message`: one line for people. */
  readonly onDoubt?: (message: string) => void;
  readonly signal: AbortSignal;
  /** Holder of the leases that prune takes; this process by default. */
  readonly holder?: LeaseHolder;
  readonly clock?: Clock;
}

/** A point, and the run that holds it. */
export interface HeldPoint extends BlockingRun {
  /** Id of the point. */
  readonly point: string;
  /** The hold outlives its process: only its owner releases it. */
  readonly kept: boolean;
}

export type PruneStep =
  | "listing packs"
  | "reading block maps"
  | "waiting a minute for listings that lag behind"
  | "copying"
  | "proving"
  | "deleting"
  | "extending locks";

/** The current step, and what was done so far. Sizes in bytes. */
export interface PruneProgress {
  readonly step: PruneStep;
  /** Pages of block maps that were read. */
  readonly pages: number;
  /** Pages that the index knows: about as many are read at most. 0 until packs are listed. */
  readonly knownPages: number;
  readonly copiedBytes: number;
  readonly provedBytes: number;
  readonly freedPacks: number;
  readonly freedBytes: number;
  readonly extendedLocks: number;
}

/** What was done; with `dryRun`, what would be. Sizes in bytes, as stored. */
export interface PruneReport {
  readonly dryRun: boolean;
  /** Deleted by this prune. */
  readonly freedPacks: number;
  readonly freedBytes: number;
  /** Manifests of forgotten points deleted by this prune. */
  readonly deletedPoints: number;
  /** Condemned, and waiting for the end of the grace time or for runs. */
  readonly condemnedPacks: number;
  readonly condemnedBytes: number;
  /** When the first grace time ends, ISO 8601; null when nothing waits for one. */
  readonly graceUntil: string | null;
  /** Runs that may still rely on something that is condemned and past its grace time. */
  readonly heldBy: readonly BlockingRun[];
  /** Forgotten points that stay because a server reads them, and who it is. */
  readonly heldPoints: readonly HeldPoint[];
  /** Ids of points with lost pages of block maps: while there are any, prune neither condemns nor deletes packs. */
  readonly heldByLosses: readonly string[];
  /** To be deleted as soon as the store's lock ends. */
  readonly lockedPacks: number;
  readonly lockedBytes: number;
  /** When the first of these locks ends, ISO 8601. */
  readonly lockedUntil: string | null;
  /** Mostly dead packs, emptied and condemned; and the bytes copied from them. */
  readonly repackedPacks: number;
  readonly copiedBytes: number;
  /** Were condemned, and are needed again. */
  readonly reprievedPacks: number;
  readonly reprievedBytes: number;
  /** Stay because points need them. */
  readonly keptPacks: number;
  readonly keptBytes: number;
  /** Keys of packs that no index object lists and whose directory is damaged. Prune leaves them alone. */
  readonly unreadablePacks: readonly string[];
  /** Keys of packs under wrong names that may hold something needed. Prune leaves them alone. */
  readonly misplacedPacks: readonly string[];
  /** Objects whose lock was extended. */
  readonly extendedLocks: number;
}
