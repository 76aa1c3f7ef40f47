import type { Damage } from "./damage.ts";

export interface VerifyReport {
  readonly points: number;
  /** Distinct chunks of blocks that were read and match their digests, and their plain bytes. */
  readonly chunks: number;
  readonly bytes: number;
  /** Packs read whole, and their bytes. */
  readonly packs: number;
  readonly storedBytes: number;
  readonly damage: readonly Damage[];
  /** Pages of block maps with one copy instead of two. Not damage yet. */
  readonly pagesOnce: number;
  /** What could not be recorded, for people. */
  readonly notes: readonly string[];
  /** Whether `repair` may save damaged data: whole images have nothing beside them to save it from. */
  readonly repairable: boolean;
}

export interface VerifyAmount {
  /** Packs read whole. */
  readonly packs: number;
  /** Their bytes. */
  readonly storedBytes: number;
  /** Points whose disks were read, or looked at. */
  readonly points: number;
}

/** What was read so far. */
export interface VerifyProgress extends VerifyAmount {
  readonly chunks: number;
  /** Plain bytes. */
  readonly bytes: number;
  /** What is to be read, as far as it is known by now: points are counted after packs. */
  readonly total: VerifyAmount;
}

export interface VerifyOptions {
  /** Packs or chunks in flight. */
  readonly lanes?: number;
  readonly onProgress?: (progress: VerifyProgress) => void;
  readonly signal: AbortSignal;
}

export const DEFAULT_VERIFY_LANES = 4;
