import type {
  DiskReader,
  DiskRecord,
  DiskTarget,
  MachineIdentity,
  ObjectKey,
  RecoveryPoint,
  VirtualMachine,
} from "@ovault/contract";
import type { BufferPool } from "../pipeline/buffer-pool.ts";
import type { RestoreTotals } from "../pipeline/restore-in-lanes.ts";
import type { DiskLosses, LostRange } from "./lost-ranges.ts";
import type { HoldPointOptions, PointHold } from "./point-hold.ts";
import type { BeginPointOptions, PointWriter } from "./point-writer.ts";

/** A damaged manifest or mark of a forgotten point. The points beside it are not affected. */
export interface DamagedManifest {
  readonly key: ObjectKey;
  readonly error: unknown;
}

export interface PointListing {
  /** Oldest first, as `inOrder` sorts them. */
  readonly points: readonly RecoveryPoint[];
  readonly damaged: readonly DamagedManifest[];
}

export interface MachinePointListing extends PointListing {
  /** Points of the same machine id under a manager's name that is not in the configuration. */
  readonly unclaimed: readonly RecoveryPoint[];
}

/** What the next point of a machine can start from. */
export interface FoundBase extends Omit<MachinePointListing, "points"> {
  /** The newest point of the machine that another can build on. */
  readonly base: RecoveryPoint | undefined;
}

/** The recovery points of a store, in whatever way it keeps their data. */
export interface PointCatalog {
  /** The points of all machines. */
  list(signal: AbortSignal): Promise<PointListing>;
  /**
   * The points of one machine. `damaged` may include those of other machines: only a readable manifest names its
   * machine.
   */
  listOf(machine: MachineIdentity, signal: AbortSignal): Promise<MachinePointListing>;
  /** The newest point of each machine, by `machineKey`. */
  newest(signal: AbortSignal): Promise<ReadonlyMap<string, RecoveryPoint>>;
  /**
   * The point with this id or unique prefix.
   * @throws NotFoundError
   */
  find(idOrPrefix: string, signal: AbortSignal): Promise<RecoveryPoint>;
  /** Makes a point invisible immediately, for every node. Data that only it needs may stay for a while. */
  forget(point: RecoveryPoint, signal: AbortSignal): Promise<void>;
}

export interface RestoreDiskOptions {
  /** Bound what is in flight: a lane for each; a lane loads at once what its buffer has room for. */
  readonly buffers: BufferPool;
  /**
   * Receives ranges that cannot be read, in any order; they become zeros. Without it, such a range fails the restore.
   */
  readonly onLost?: ((range: LostRange) => void) | undefined;
  readonly onProgress: (done: RestoreTotals) => void;
  readonly signal: AbortSignal;
}

export interface OpenDiskOptions {
  /** Bytes fetched ahead of a sequential reader; the store's choice by default, 0 for none. */
  readonly readAheadBytes?: number;
  /** Aborts the opening. The disk lives until it is closed. */
  readonly signal: AbortSignal;
}

/**
 * A store of recovery points: it finds, makes, reads and forgets them. It prescribes no storage format. `Repository`
 * deduplicates; `ImagePoints` keeps each disk as a whole image.
 */
export interface PointStore {
  readonly points: PointCatalog;
  /** Size of the blocks that disks are read in. Manifests name it. */
  readonly blockBytes: number;
  /** Tells this store from every other, for good: copies name it as where they are from. */
  identify(signal: AbortSignal): Promise<string>;
  /** For a run that has begun a point of this machine, or plans to. */
  findBase(machine: MachineIdentity, signal: AbortSignal): Promise<FoundBase>;
  /** What a base has lost: unchanged blocks of the next point would be missing there too. */
  lossesOfBase(base: RecoveryPoint, signal: AbortSignal): Promise<readonly DiskLosses[]>;
  /**
   * Begins the next point of a machine, of which there is one at a time.
   * @throws LeaseHeldError when another run holds the machine and `ifBusy` is `refuse`
   */
  beginPoint(vm: VirtualMachine, options: BeginPointOptions): Promise<PointWriter>;
  /**
   * Keeps a point readable until the hold is released, even when it is forgotten meanwhile. It blocks no run.
   * @throws NotFoundError when the point is gone, or its deletion was decided
   * @throws StoreReadOnlyError, StorePermissionError or StoreFullError when no hold can be written
   */
  hold(point: RecoveryPoint, options: HoldPointOptions): Promise<PointHold>;
  /**
   * Opens a disk of a point for random reads. A point that is forgotten meanwhile stays readable only while it is held.
   * @throws IntegrityError for impossible figures of the disk; other damage fails the reads that meet it
   */
  openDisk(point: RecoveryPoint, record: DiskRecord, options: OpenDiskOptions): Promise<DiskReader>;
  /**
   * Writes a disk of a point into a target that is at least as large, and flushes it.
   * @throws IntegrityError for data that cannot be read, unless `onLost` is set
   */
  restoreDisk(
    point: RecoveryPoint,
    record: DiskRecord,
    target: DiskTarget,
    options: RestoreDiskOptions,
  ): Promise<RestoreTotals>;
  /** Call it when the store is no longer in use. */
  close(): Promise<void>;
}
