import { z } from "zod";

import { sizeInBytes } from "@ovault/contract";

const name = z.string().min(1);

const SIZE_FORMS = "bytes, as a number, or text like 200 GiB";

const size = z.union([z.number(), z.string()], { error: SIZE_FORMS }).transform((written, context) => {
  const bytes = typeof written === "number" ? written : sizeInBytes(written);
  if (bytes !== undefined && Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  context.addIssue(SIZE_FORMS);
  return z.NEVER;
});

/** Where export domains lie on this node, as fields of the strategy's schema. Without a folder it takes no disk. */
export const stagingOptions = {
  /**
   * The folder that hosts mount as the export domain; with `dataCenters`, the one that holds a folder for each. Relative
   * to ovault.yaml.
   */
  staging: name.optional(),
  /** Name of the export domain, where `dataCenters` names none. Default: the one that the data center has. */
  exportDomain: name.optional(),
  /** By name, where there are several: an engine takes one export domain for each. */
  dataCenters: z
    .record(
      name,
      z.strictObject({
        /** Default: the one that the data center has. */
        exportDomain: name.optional(),
        /** Relative to ovault.yaml. Default: below `staging`, with the name of the data center. */
        folder: name.optional(),
      }),
    )
    .default({}),
  /** Most bytes that lie in all folders at a time. Default: what their file systems have. */
  stagingLimit: size.optional(),
  /** Machines that are exported at a time, for each export domain. */
  concurrent: z.int().min(1).max(64).default(1),
};

export interface StagingOptions {
  readonly staging?: string | undefined;
  readonly exportDomain?: string | undefined;
  readonly dataCenters: Readonly<
    Record<string, { readonly exportDomain?: string | undefined; readonly folder?: string | undefined }>
  >;
  readonly stagingLimit?: number | undefined;
  readonly concurrent: number;
  /** State directory of this node, to which folders must belong, or to none. Not in ovault.yaml. */
  readonly stateDirectory?: string | undefined;
}

/** What the schema of single fields cannot say. */
export function checkStaging(options: StagingOptions, context: z.RefinementCtx): void {
  const { staging, exportDomain, dataCenters } = options;
  const centers = Object.entries(dataCenters);
  if (centers.length > 0 && exportDomain !== undefined) {
    context.addIssue({ code: "custom", path: ["exportDomain"], message: "name it in each of dataCenters instead" });
  }
  for (const [center, { folder }] of centers) {
    if (folder !== undefined) continue;
    const path = ["dataCenters", center, "folder"];
    if (staging === undefined) {
      context.addIssue({ code: "custom", path, message: "is needed where there is no staging" });
    } else if (/[/\0]|^\.{1,2}$/.test(center)) {
      context.addIssue({ code: "custom", path, message: "is needed: no folder can have the data center's name" });
    }
  }
}
