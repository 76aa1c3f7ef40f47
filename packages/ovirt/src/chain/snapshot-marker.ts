import { z } from "zod";

import type { BaseMarker, DiskRecord } from "@ovault/contract";

const schema = z.object({
  kind: z.literal("ovirt-snapshot"),
  vmId: z.string(),
  diskId: z.string(),
  /** The increment starts here. */
  snapshotId: z.string(),
  /** The volume it froze, by its id at that time (merges rename it). For people. */
  volumeId: z.string(),
});

/** The base marker of every strategy that keeps a snapshot. */
export type SnapshotMarker = z.output<typeof schema>;

export function snapshotMarker(marker: Omit<SnapshotMarker, "kind">): BaseMarker {
  return { kind: "ovirt-snapshot", ...marker };
}

/** The marker of a disk in a sealed point; undefined when there is none, or it is of another kind. */
export function readSnapshotMarker(record: DiskRecord | undefined): SnapshotMarker | undefined {
  const parsed = schema.safeParse(record?.base);
  return parsed.success ? parsed.data : undefined;
}
