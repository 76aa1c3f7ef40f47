import type { Disk, DiskAssessment, VirtualMachine } from "@ovault/contract";
import { diskAttributes, whyUnreadable, whyUntouchable } from "@ovault/ovirt";

/** The abilities of the engine that decide about a disk. */
export interface EngineAbilities {
  /** The backup API exists (4.4). */
  readonly backups: boolean;
}

/** States of a virtual machine in which the engine starts a backup. */
export const BACKED_UP_IN: readonly string[] = ["up", "down"];

/**
 * What the backup API can do for one disk. Checks first what must not be touched, then what is impossible, then how
 * well.
 */
export function assessDisk(vm: VirtualMachine, disk: Disk, engine: EngineAbilities): DiskAssessment {
  const { active, backup } = diskAttributes(disk);
  const say = (verdict: DiskAssessment["verdict"], reason: string): DiskAssessment => ({
    diskId: disk.id,
    verdict,
    reason,
  });

  const untouchable = whyUntouchable(vm, disk);
  if (untouchable !== undefined) return say("skip", untouchable);

  if (!engine.backups) return say("impossible", "the backup API came with oVirt 4.4");
  // Other states are temporary, and a backup waits for their end; this one may last, and other strategies can handle
  // it.
  if (vm.status === "paused") return say("impossible", "the virtual machine is paused; it must be up or down");
  const unreadable = whyUnreadable(disk);
  if (unreadable !== undefined) return say("impossible", unreadable);
  if (!active) return say("impossible", "the disk is not plugged in; activate it or exclude it");

  if (disk.format === "raw") {
    return say("full", "a raw disk has no change tracking: all of it is read, and compared with the last point");
  }
  if (backup !== "incremental") {
    return say(
      "full",
      "'Enable Incremental Backup' is not enabled in the disk's settings: all of it is read, and compared",
    );
  }
  return say("incremental", "changes are tracked");
}

/** True when a checkpoint can cover the disk, which can then be the base of an increment. */
export function isTracked(disk: Disk): boolean {
  return disk.format === "cow" && diskAttributes(disk).backup === "incremental";
}
