import type { Clock, DiskRecord, DiskSource, ProcessIdentity, RecoveryPoint, SpanEvent } from "@ovault/contract";
import type { BufferPool } from "../pipeline/buffer-pool.ts";

export interface BeginPointOptions {
  /** The run that makes the point. */
  readonly runId: string;
  /** Process of that run; this one by default. */
  readonly process?: ProcessIdentity | undefined;
  /** The point of another store that this one is a copy of, and whose id it has as far as that is free. */
  readonly copyOf?: RecoveryPoint;
  /** What to do when another run holds the machine. */
  readonly ifBusy: "refuse" | "wait";
  /** Called before a wait for a run that holds the machine. `message`: which one, for people. */
  readonly onWait?: ((message: string) => void) | undefined;
  /** Called once, before a wait for a sign of life of a run that seems dead. `message`: one line for people. */
  readonly onDoubt?: ((message: string) => void) | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface TakeDisksOptions {
  /** The point that `unchanged` extents refer to. */
  readonly base: RecoveryPoint | undefined;
  /** The base was found damaged: take nothing over from it, and store again what damage may have hit. */
  readonly anew: boolean;
  /** One block each. Bounds the blocks in flight of all disks, and of other runs that share the pool. */
  readonly buffers: BufferPool;
  readonly onProgress: (event: SpanEvent) => void;
}

/**
 * A point in the making. Its run has the machine to itself; a run that finds this one silent takes over, and then this
 * one can seal nothing. The run must release it.
 */
export interface PointWriter {
  /** Id of the point: later than those of all points of the machine, unless it is a copy. */
  readonly id: string;
  /** Aborts with the signal of the run, and with LeaseLostError when another run has taken over. */
  readonly signal: AbortSignal;
  /**
   * Stores all disks, concurrently; they are durable when this resolves. Releases the sources. Rejects only after
   * nothing is in flight, and may then be called again.
   * @throws IntegrityError when the base is damaged
   */
  takeDisks(sources: readonly DiskSource[], options: TakeDisksOptions): Promise<DiskRecord[]>;
  /**
   * Makes the point visible, with disks as `takeDisks` gave them. If it fails, the point does not appear later either.
   * @throws LeaseLostError when another run has taken over
   */
  seal(point: RecoveryPoint): Promise<void>;
  /** Lets the next run have the machine. Never throws. */
  release(): Promise<void>;
}
