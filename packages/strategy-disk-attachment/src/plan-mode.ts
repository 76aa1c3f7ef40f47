import type { BackupRequest, Disk, DiskSource } from "@ovault/contract";

/** A device tells nothing of what changed: where there is something to compare with, digests do. */
export function planMode(
  { base, full }: Pick<BackupRequest, "base" | "full">,
  { id }: Pick<Disk, "id">,
): Pick<DiskSource, "mode" | "reason"> {
  if (full) return { mode: "full", reason: "a full backup was asked for" };
  if (base === undefined) return { mode: "full", reason: "first backup of this virtual machine" };
  if (!base.disks.some(({ disk }) => disk.id === id)) {
    return { mode: "full", reason: "the last point does not hold this disk" };
  }
  return { mode: "compared", reason: `an attached disk does not tell what changed; compared with ${base.id}` };
}
