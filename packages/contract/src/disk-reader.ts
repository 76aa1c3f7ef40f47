import type { Extent } from "./extent.ts";

/**
 * A disk that can be read at random, as it was at one instant.
 * @since 0.2.0
 */
export interface DiskReader {
  /** Size that a guest sees, in bytes. */
  readonly logicalBytes: number;
  /** What there is to read: ascending, gapless, covering the disk; `data` and `zero` only. */
  extents(signal: AbortSignal): AsyncIterable<Extent>;
  /**
   * Fills all of `buffer`, which may lie in shared memory, from `offset`, or throws: a short read is an error, never an end.
   * Calls may overlap, and never go past `logicalBytes`. Nothing writes into `buffer` any more once the promise has settled.
   */
  readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Nothing is read any more. Never throws. */
  close(): Promise<void>;
}
