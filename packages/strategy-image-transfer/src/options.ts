import { z } from "zod";

import { snapshotOptions } from "@ovault/ovirt";

/** The options of this plugin, under `strategies:` in ovault.yaml; all have defaults. */
export const optionsSchema = z.strictObject({
  /** Connections to imageio on one host, over all disks of a run. */
  connectionsPerHost: z.int().min(1).max(8).default(8),
  /**
   * How long a transfer may be silent before engine and host give up on it. Long, because a slow destination must not
   * end a backup; not for ever, because what a dead run left should end by itself.
   */
  inactivityTimeoutSeconds: z.int().min(60).max(86_400).default(900),
  ...snapshotOptions,
});

export type ImageTransferOptions = z.output<typeof optionsSchema>;
