import type { Damage } from "./damage.ts";

export interface VerifyReport {
  readonly points: number;
  /** Distinct chunks of blocks that were read and match their digests, and their plain bytes. */
  readonly chunks: number;
  readonly bytes: number;
  /** Packs that were read whole, and their bytes. */
  readonly packs: number;
  readonly storedBytes: number;
  readonly damage: readonly Damage[];
  /** Pages of block maps that lie in one pack only, where they should lie in two. No damage yet. */
  readonly pagesOnce: number;
  /** What could not be written down, for people. */
  readonly notes: readonly string[];
}

export interface VerifyProgress {
  readonly chunks: number;
  /** Plain bytes. */
  readonly bytes: number;
}

export interface VerifyOptions {
  /** Packs or chunks in flight. */
  readonly lanes?: number;
  readonly onProgress?: (progress: VerifyProgress) => void;
  readonly signal: AbortSignal;
}

export const DEFAULT_VERIFY_LANES = 4;
