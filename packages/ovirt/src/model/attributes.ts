import { z } from "zod";

import type { Disk, JsonObject, VirtualMachine } from "@ovault/contract";

const diskSchema = z.object({
  /** `incremental`: the engine tracks changes of this disk. */
  backup: z.enum(["incremental", "none"]).default("none"),
  /** `image`, `lun`, `managed_block_storage`, `cinder`. */
  storageType: z.string().default("image"),
  contentType: z.string().default("data"),
  /** `ok`, `locked`, `illegal`; `unknown`: the engine shows the attachment but not the disk. */
  status: z.string().default("ok"),
  /** Plugged into the machine. */
  active: z.boolean().default(true),
  shareable: z.boolean().default(false),
  readOnly: z.boolean().default(false),
  passDiscard: z.boolean().default(false),
  wipeAfterDelete: z.boolean().default(false),
  propagateErrors: z.boolean().default(false),
  /** The active volume at the time of the inventory. */
  imageId: z.string().optional(),
  qcowVersion: z.string().optional(),
  description: z.string().optional(),
  diskProfileId: z.string().optional(),
  quotaId: z.string().optional(),
  usesScsiReservation: z.boolean().default(false),
  lunId: z.string().optional(),
});

const vmSchema = z.object({
  origin: z.string().optional(),
  description: z.string().optional(),
  memoryBytes: z.number().optional(),
  templateId: z.string().optional(),
  /** Architecture of the processor: `x86_64`, `ppc64`, `s390x`. */
  architecture: z.string().toLowerCase().optional(),
  /** Its host at the time of the inventory. */
  hostId: z.string().optional(),
});

/** What an oVirt disk has beyond core's `Disk`; kept in recovery points, so that a restore can rebuild the disk. */
export type DiskAttributes = z.output<typeof diskSchema>;
/** What an oVirt machine has beyond core's `VirtualMachine`. */
export type VmAttributes = z.output<typeof vmSchema>;

/** Reads the attributes back, from a live disk or from a recovery point of any age: missing ones get defaults. */
export function diskAttributes(disk: Pick<Disk, "attributes">): DiskAttributes {
  return diskSchema.parse(disk.attributes);
}

export function vmAttributes(vm: Pick<VirtualMachine, "attributes">): VmAttributes {
  return vmSchema.parse(vm.attributes);
}

/** The machine that runs the engine itself: cannot be backed up through the engine. */
export function isHostedEngine(vm: Pick<VirtualMachine, "attributes">): boolean {
  const { origin } = vmAttributes(vm);
  return origin === "hosted_engine" || origin === "managed_hosted_engine";
}

/** The plain form for storage: without undefined values. */
export function toJson(attributes: DiskAttributes | VmAttributes): JsonObject {
  const present = Object.entries(attributes).filter((entry) => entry[1] !== undefined);
  return Object.fromEntries(present);
}
