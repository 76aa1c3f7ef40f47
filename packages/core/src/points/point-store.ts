import type { DiskReader, DiskRecord, MachineIdentity, ObjectKey, RecoveryPoint } from "@ovault/contract";

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
  /** An id for the next point of a machine, later than those of all its points. */
  nextId(machine: MachineIdentity, now: Date, signal: AbortSignal): Promise<string>;
  /**
   * Makes a point visible. Everything it refers to must already be durable.
   * @throws LeaseLostError when another run has taken over and ensured that this point never exists
   */
  seal(point: RecoveryPoint, signal: AbortSignal): Promise<void>;
  /** Makes a point invisible immediately, for every node. Data that only it needs may stay for a while. */
  forget(point: RecoveryPoint, signal: AbortSignal): Promise<void>;
}

export interface OpenDiskOptions {
  /** Bytes fetched ahead of a sequential reader; the store's choice by default, 0 for none. */
  readonly readAheadBytes?: number;
  /** Aborts the opening. The disk lives until it is closed. */
  readonly signal: AbortSignal;
}

/**
 * A store of recovery points: a catalog of the points, and the bytes of their disks. It prescribes no storage format.
 * `Repository` deduplicates; another implementation may keep each disk as a whole image.
 */
export interface PointStore {
  readonly points: PointCatalog;
  /**
   * Opens a disk of a point for random reads. It holds no lease.
   * @throws IntegrityError for impossible figures of the disk; other damage fails the reads that meet it
   */
  openDisk(point: RecoveryPoint, record: DiskRecord, options: OpenDiskOptions): Promise<DiskReader>;
  /** Call it when the store is no longer in use. */
  close(): Promise<void>;
}
