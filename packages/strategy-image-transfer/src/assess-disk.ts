import type { Disk, DiskAssessment, VirtualMachine } from "@ovault/contract";
import { whyUnreadable, whyUntouchable } from "@ovault/ovirt";

/** The abilities of the engine that decide about a disk. */
export interface EngineAbilities {
  /** Transfers can read disks as a snapshot froze them (4.2). */
  readonly snapshotTransfer: boolean;
  /** Transfers can read a single layer of a disk (4.4.3). */
  readonly shallowTransfer: boolean;
}

/**
 * What snapshots can do for one disk. Checks first what must not be touched, then what is impossible, then how well.
 */
export function assessDisk(vm: VirtualMachine, disk: Disk, engine: EngineAbilities): DiskAssessment {
  const say = (verdict: DiskAssessment["verdict"], reason: string): DiskAssessment => ({
    diskId: disk.id,
    verdict,
    reason,
  });

  const untouchable = whyUntouchable(vm, disk);
  if (untouchable !== undefined) return say("skip", untouchable);

  if (!engine.snapshotTransfer) return say("impossible", "transfers of snapshots came with oVirt 4.2");
  const unable = whyUnreadable(disk);
  if (unable !== undefined) return say("impossible", unable);
  const told = engine.shallowTransfer ? "the layer" : "the QCOW2 file";
  return { ...say("incremental", `${told} on a snapshot that is kept tells what changed`), keeps: "a snapshot" };
}
