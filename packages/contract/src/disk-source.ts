import type { Extent } from "./extent.ts";
import type { Disk } from "./virtual-machine.ts";

/**
 * How a disk was taken. `incremental` trusts change tracking; `compared` reads everything although a base exists, and
 * lets digests find what changed (tracking was lost or is not available); `full` has no base.
 */
export type BackupMode = "full" | "incremental" | "compared";

/**
 * One disk, readable as it was at one instant.
 *
 * `readInto` fills the caller's whole buffer, which may lie in shared memory, from `offset` or throws: a short read is an
 * error, never an end. It is called by several lanes at once, never past `disk.logicalBytes`.
 */
export interface DiskSource {
  readonly disk: Disk;
  readonly mode: BackupMode;
  /** Why this mode, for people. Always set when mode is not what was wished for. */
  readonly reason: string;
  /** Reads this source bears at once; the pipeline never has more under way. */
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
   * Nothing more is read, whether all of it was or reading failed. Disks are taken at once: a strategy that can hold only
   * some of them lets `extents` of the others wait for this. Never throws; what cannot be let go is the session's to end.
   */
  release?(): Promise<void>;
}
