import { z } from "zod";

import { transferOptions } from "@ovault/ovirt";

/** The options of this plugin, under `strategies:` in ovault.yaml; all have defaults. */
export const optionsSchema = z.strictObject({
  ...transferOptions,
  /** How long the engine may take to make a backup ready. */
  readyTimeoutSeconds: z.int().min(60).max(86_400).default(1_800),
  /** How long the engine may take to end a backup. */
  finalizeTimeoutSeconds: z.int().min(60).max(86_400).default(1_800),
});

export type ChangedBlockTrackingOptions = z.output<typeof optionsSchema>;
