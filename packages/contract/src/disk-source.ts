import type { Extent } from "./extent.ts";
import type { Disk } from "./virtual-machine.ts";

/**
 * How a disk was taken. `incremental` trusts change tracking; `compared` reads everything although a base exists, and
 * lets digests find what changed (tracking was lost or is not available); `full` has no base.
 */
export type BackupMode = "full" | "incremental" | "compared";

/**
 * Read access to one disk as it was at one instant.
 *
 * `readInto` fills the caller's whole buffer, which may lie in shared memory, from `offset` or throws: a short read is
 * an error, never an end. Several lanes call it concurrently, never past `disk.logicalBytes`.
 */
export interface DiskSource {
  readonly disk: Disk;
  readonly mode: BackupMode;
  /** Why this mode, for people. Always set when the mode is weaker than requested. */
  readonly reason: string;
  /**
   * For people: what carries the data, such as `imageio` or `netcat`, where the strategy knows it.
   * @since 0.2.0
   */
  readonly carrier?: string;
  /** Maximum concurrent reads. */
  readonly maxReads: number;
  /**
   * True when `unchanged` ranges can be read from this source too (they read as the disk's content). When false the
   * pipeline fills such ranges of a mixed block from the base recovery point.
   */
  readonly readsUnchanged: boolean;
  /** Called once. `unchanged` extents only when mode is `incremental`. */
  extents(signal: AbortSignal): AsyncIterable<Extent>;
  readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void>;
  /**
   * Called after the last read, also when reading failed. Core reads all disks concurrently: a strategy that can hold
   * only some of them open makes `extents` of the others wait for this. Never throws; `HeldInstant.close` ends what is
   * left.
   */
  release?(): Promise<void>;
}
