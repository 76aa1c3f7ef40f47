import { z } from "zod";

/** The options of every strategy that works with snapshots, as fields of its own schema; all have defaults. */
export const snapshotOptions = {
  /** How long the engine may take to make a snapshot. */
  snapshotTimeoutSeconds: z.int().min(60).max(86_400).default(1_800),
  /** How long the engine may take to remove one, which merges its data. */
  removalTimeoutSeconds: z.int().min(60).max(604_800).default(21_600),
  /** Free space that a storage domain must have for each disk of a snapshot, in MiB. */
  freeMebibytesPerDisk: z.int().min(0).default(1_024),
};

export interface SnapshotOptions {
  readonly snapshotTimeoutSeconds: number;
  readonly removalTimeoutSeconds: number;
  readonly freeMebibytesPerDisk: number;
}
