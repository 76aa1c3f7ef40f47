import type { DiskRecord, RecoveryPoint } from "@ovault/contract";
import type { Repository } from "../repository/repository.ts";
import { BlockCache } from "./block-cache.ts";
import { PointDisk } from "./point-disk.ts";

export interface OpenDiskOptions {
  /**
   * Decoded blocks, shared with other disks of this repository; a cache of 64 MiB of its own when left out.
   */
  readonly cache?: BlockCache;
  /** What is fetched ahead of a reader that reads in order, in bytes; 16 MiB when left out, 0 for none. */
  readonly readAheadBytes?: number;
  /** Ends the opening. The disk lives until it is closed. */
  readonly signal: AbortSignal;
}

export const DEFAULT_CACHE_BYTES = 64 * 1024 * 1024;
const DEFAULT_READ_AHEAD_BYTES = 16 * 1024 * 1024;
/** Of a block map in memory. A leaf covers 1024 blocks. */
const MOST_MAP_BYTES = 32 * 1024 * 1024;
const LEAF_BYTES = 33 * 1024;

/**
 * Opens a disk of a point for reads at random. It holds no lease: a point that is forgotten meanwhile stays readable for the
 * grace time of prune.
 * @throws IntegrityError when the disk cannot be one. What is damaged is found where it is read.
 */
export async function openDisk(
  repository: Repository,
  point: RecoveryPoint,
  record: DiskRecord,
  options: OpenDiskOptions,
): Promise<PointDisk> {
  const { signal, cache: shared, readAheadBytes = DEFAULT_READ_AHEAD_BYTES } = options;
  const leavesKept = Math.floor(MOST_MAP_BYTES / LEAF_BYTES);
  const map = await repository.openMap(point, record, signal, { tolerant: true, leavesKept });
  const cache = shared ?? new BlockCache(DEFAULT_CACHE_BYTES, repository.settings.blockBytes);
  const { logicalBytes } = record.stats;
  const onClose = (): void => (shared === undefined ? cache.close() : undefined);
  return new PointDisk({ map, logicalBytes, chunks: repository.chunks, cache, readAheadBytes, onClose });
}
