import { z } from "zod";

import { snapshotOptions, transferOptions } from "@ovault/ovirt";

/** The options of this plugin, under `strategies:` in ovault.yaml; all have defaults. */
export const optionsSchema = z.strictObject({
  ...transferOptions,
  ...snapshotOptions,
});

export type ImageTransferOptions = z.output<typeof optionsSchema>;
