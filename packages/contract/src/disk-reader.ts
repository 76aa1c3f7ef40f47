import type { Extent } from "./extent.ts";

/**
 * Random access to a disk as it was at one instant.
 * @since 0.2.0
 */
export interface DiskReader {
  /** Size the guest sees, in bytes. */
  readonly logicalBytes: number;
  /** Ascending, gapless, covering the disk; `data` and `zero` only. */
  extents(signal: AbortSignal): AsyncIterable<Extent>;
  /**
   * Fills all of `buffer`, which may lie in shared memory, from `offset`, or throws: a short read is an error, never an
   * end. Calls may overlap, and never go past `logicalBytes`. The reader never writes into `buffer` after the promise
   * settles.
   */
  readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Called after the last read. Never throws. */
  close(): Promise<void>;
}
