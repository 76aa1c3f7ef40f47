import { z } from "zod";

import type { BaseMarker, DiskRecord, RecoveryPoint } from "@ovault/contract";

const schema = z.object({
  kind: z.literal("ovirt-checkpoint"),
  vmId: z.string(),
  diskId: z.string(),
  /** The increment starts here. */
  checkpointId: z.string(),
  /** Older checkpoints of ours that still existed; the next run retries their removal. */
  retiring: z.array(z.string()).default([]),
});

/** The base marker of this strategy: the checkpoint that the engine made with the backup. */
export type CheckpointMarker = z.output<typeof schema>;

export function checkpointMarker(marker: Omit<CheckpointMarker, "kind">): BaseMarker {
  return { kind: "ovirt-checkpoint", ...marker };
}

/** The marker of a disk in a sealed point; undefined when there is none, or it is another strategy's. */
export function readMarker(record: DiskRecord | undefined): CheckpointMarker | undefined {
  const parsed = schema.safeParse(record?.base);
  return parsed.success ? parsed.data : undefined;
}

/**
 * The checkpoints that the markers of a point name, oldest first: its own, and older ones that could not be removed
 * then.
 */
export function keptCheckpoints({ vm, disks }: Pick<RecoveryPoint, "vm" | "disks">): readonly string[] {
  const ids = disks.flatMap((record) => {
    const marker = readMarker(record);
    return marker?.vmId === vm.id ? [...marker.retiring, marker.checkpointId] : [];
  });
  return [...new Set(ids)];
}
