import { z } from "zod";

import { snapshotOptions } from "@ovault/ovirt";

/** The options of this plugin, under `strategies:` in ovault.yaml; all have defaults. */
export const optionsSchema = z.strictObject({
  /** Name or id of the virtual machine that ovault runs in. Default: found by its hardware's UUID. */
  proxyVm: z.string().min(1).optional(),
  /** Where this machine's devices appear under names with their serials; relative to ovault.yaml. */
  deviceDirectory: z.string().min(1).default("/dev/disk/by-id"),
  /** Maximum of disks that one run has attached at a time. */
  attachedDisks: z.int().min(1).max(64).default(2),
  /** How long the device of a disk may take to appear, and the engine to detach the disk. */
  deviceTimeoutSeconds: z.int().min(1).max(3_600).default(120),
  ...snapshotOptions,
});

export type DiskAttachmentOptions = z.output<typeof optionsSchema>;
