import type { DiskReader, DiskRecord, MachineIdentity, ObjectKey, RecoveryPoint } from "@ovault/contract";

/** A manifest, or a mark that it is forgotten, that does not prove itself. The points beside it are not affected. */
export interface DamagedManifest {
  readonly key: ObjectKey;
  readonly error: unknown;
}

export interface PointListing {
  /** Oldest first, as `inOrder` has them. */
  readonly points: readonly RecoveryPoint[];
  readonly damaged: readonly DamagedManifest[];
}

export interface MachinePointListing extends PointListing {
  /** Points of the same machine id whose manager has a name that the configuration does not know. */
  readonly unclaimed: readonly RecoveryPoint[];
}

/** The recovery points of a place, however it keeps their data. */
export interface PointCatalog {
  /** The points of all machines. */
  list(signal: AbortSignal): Promise<PointListing>;
  /** The points of one machine. `damaged` may be of others as well: only a manifest tells whose point it is. */
  listOf(machine: MachineIdentity, signal: AbortSignal): Promise<MachinePointListing>;
  /** The newest point of each machine, by its `machineKey`. */
  newest(signal: AbortSignal): Promise<ReadonlyMap<string, RecoveryPoint>>;
  /**
   * The point with this id or unique prefix of it.
   * @throws NotFoundError
   */
  find(idOrPrefix: string, signal: AbortSignal): Promise<RecoveryPoint>;
  /** An id for the next point of a machine, later than those of all points of it. */
  nextId(machine: MachineIdentity, now: Date, signal: AbortSignal): Promise<string>;
  /**
   * Makes a point visible. Everything it refers to must be durable before.
   * @throws LeaseLostError when another run has taken over, and made sure that this point never comes to be
   */
  seal(point: RecoveryPoint, signal: AbortSignal): Promise<void>;
  /** Makes a point invisible, at once and for every node. What only it needs may stay for a while. */
  forget(point: RecoveryPoint, signal: AbortSignal): Promise<void>;
}

export interface OpenDiskOptions {
  /** What is fetched ahead of a reader that reads in order, in bytes; the store chooses when left out, 0 for none. */
  readonly readAheadBytes?: number;
  /** Ends the opening. The disk lives until it is closed. */
  readonly signal: AbortSignal;
}

/**
 * A place that keeps recovery points: which ones there are, and the bytes of their disks. It says nothing of how it stores
 * them. `Repository` is the one that deduplicates; another may keep each disk as a whole image.
 */
export interface PointStore {
  readonly points: PointCatalog;
  /**
   * Opens a disk of a point for reads at random. It holds no lease.
   * @throws IntegrityError when the disk cannot be one. What is damaged is found where it is read.
   */
  openDisk(point: RecoveryPoint, record: DiskRecord, options: OpenDiskOptions): Promise<DiskReader>;
  /** When nothing uses it any more. */
  close(): Promise<void>;
}
