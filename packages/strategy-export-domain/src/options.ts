import { z } from "zod";

import { snapshotOptions } from "@ovault/ovirt";

import { checkStaging, stagingOptions, type StagingOptions } from "./staging/staging-options.ts";

const seconds = z.int().min(60).max(604_800);
const SIX_HOURS = 21_600;

/** The options of this plugin, under `strategies:` in ovault.yaml. Without a folder it takes no disk. */
export const optionsSchema = z
  .strictObject({
    ...stagingOptions,
    /** Name of the storage domain for clones. Default: each disk's own. */
    cloneDomain: z.string().min(1).optional(),
    /** How long the engine may take to clone a snapshot. */
    cloneTimeoutSeconds: seconds.default(SIX_HOURS),
    /** How long the engine may take to export a clone, or to import one. */
    exportTimeoutSeconds: seconds.default(SIX_HOURS),
    ...snapshotOptions,
  })
  .superRefine(checkStaging);

export type ExportDomainOptions = z.output<typeof optionsSchema> & Pick<StagingOptions, "stateDirectory">;
