import { z } from "zod";

/** The options of this plugin, under `strategies:` in ovault.yaml; all have defaults. */
export const optionsSchema = z.strictObject({
  /** Connections to imageio on one host, over all disks of a run. */
  connectionsPerHost: z.int().min(1).max(8).default(8),
  /**
   * How long a transfer may be silent before engine and host give up on it. Long, because a slow destination must not
   * end a backup; not for ever, because what a dead run left should end by itself.
   */
  inactivityTimeoutSeconds: z.int().min(60).max(86_400).default(900),
  /** How long the engine may take to make a snapshot. */
  snapshotTimeoutSeconds: z.int().min(60).max(86_400).default(1_800),
  /** How long the engine may take to remove one, which merges its data. */
  removalTimeoutSeconds: z.int().min(60).max(604_800).default(21_600),
  /** Free space that a storage domain must have for each disk of a snapshot, in MiB. */
  freeMebibytesPerDisk: z.int().min(0).default(1_024),
});

export type ImageTransferOptions = z.output<typeof optionsSchema>;
