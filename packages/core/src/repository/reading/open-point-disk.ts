import type { OpenDiskOptions } from "../../points/point-store.ts";
import { BlockCache } from "./block-cache.ts";
import { PointDisk, type PointDiskOptions } from "./point-disk.ts";

export interface OpenPointDiskOptions extends OpenDiskOptions {
  /** Decoded blocks, shared with other disks of this repository; defaults to its own cache of 64 MiB. */
  readonly cache?: BlockCache;
}

const DEFAULT_CACHE_BYTES = 64 * 1024 * 1024;
const DEFAULT_READ_AHEAD_BYTES = 16 * 1024 * 1024;
/** Limit for a block map in memory. A leaf covers 1024 blocks. */
const MOST_MAP_BYTES = 32 * 1024 * 1024;
const LEAF_BYTES = 33 * 1024;

/** For the map of a disk with random reads. */
export const LEAVES_KEPT = Math.floor(MOST_MAP_BYTES / LEAF_BYTES);

/** A disk with the cache and the read-ahead of the options. */
export function openPointDisk(
  disk: Pick<PointDiskOptions, "map" | "logicalBytes" | "chunks"> & { readonly blockBytes: number },
  { cache: shared, readAheadBytes = DEFAULT_READ_AHEAD_BYTES }: Omit<OpenPointDiskOptions, "signal">,
): PointDisk {
  const { blockBytes, ...parts } = disk;
  const cache = shared ?? new BlockCache(DEFAULT_CACHE_BYTES, blockBytes);
  const onClose = (): void => (shared === undefined ? cache.close() : undefined);
  return new PointDisk({ ...parts, cache, readAheadBytes, onClose });
}
