import type { DiskReader, Extent } from "@ovault/contract";

/** Random access to a disk that knows the extents of any of its ranges. `PointDisk` of @ovault/core is one. */
export interface RangedDisk extends Pick<DiskReader, "logicalBytes" | "readInto"> {
  /** Ascending, gapless, and cut to the range; `data` and `zero` only. */
  extentsOf(range: { readonly offset: number; readonly length: number }, signal: AbortSignal): AsyncIterable<Extent>;
}

/** One that can be written. Calls may overlap. */
export interface WritableRangedDisk extends RangedDisk {
  /** `data` belongs to the caller again once the promise settles. */
  write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void>;
  /** The range reads as zeros afterwards. */
  zero(offset: number, length: number, signal: AbortSignal): Promise<void>;
  /** Resolves when every write before it is as durable as the disk promises. */
  flush(signal: AbortSignal): Promise<void>;
}
