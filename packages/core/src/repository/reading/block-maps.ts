import type { DiskRecord, RecoveryPoint } from "@ovault/contract";

import type { BlockMapReader, LoadPage } from "../block-map/block-map-reader.ts";
import type { ChunkReader } from "../chunks/chunk-reader.ts";

export interface MapOptions {
  /** Lost pages are reported when they are asked for; otherwise opening throws an IntegrityError. */
  readonly tolerant?: boolean;
  /** Instead of the repository's own chunks. */
  readonly loadPage?: LoadPage;
  /** Number of leaves of the map kept in memory; by default few, as for a walk in order. */
  readonly leavesKept?: number;
}

/** The block maps of points, and the chunks that they name. */
export interface BlockMaps {
  readonly chunks: ChunkReader;
  /** The block map of a disk of a point. */
  openMap(point: RecoveryPoint, record: DiskRecord, signal: AbortSignal, options?: MapOptions): Promise<BlockMapReader>;
}
