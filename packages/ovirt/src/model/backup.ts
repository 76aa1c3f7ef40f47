import type { XmlElement } from "../engine/xml-element.ts";

/** A backup of a virtual machine that the engine holds open (4.3.7; changed block tracking). */
export interface Backup {
  readonly id: string;
  /**
   * `initializing`, `starting`, `ready`, `finalizing`, `succeeded`, `failed`. Absent means in transition: builds up to
   * early 4.4.7 omit it for every internal stage, the final ones too (BZ1942722).
   */
  readonly phase: string | undefined;
  readonly fromCheckpointId: string | undefined;
  /** Appears with phase `ready`; never when all disks are raw. */
  readonly toCheckpointId: string | undefined;
  readonly description: string | undefined;
  readonly creationDate: string | undefined;
  readonly hostId: string | undefined;
  readonly vmId: string | undefined;
  /** Set when the engine runs the backup over a snapshot of its own (hybrid backup, 4.5). */
  readonly snapshotId: string | undefined;
}

/** Parses one `<backup>`. */
export function parseBackup(element: XmlElement): Backup {
  return {
    id: element.requireId("backup"),
    phase: element.value("phase"),
    fromCheckpointId: element.value("from_checkpoint_id"),
    toCheckpointId: element.value("to_checkpoint_id"),
    description: element.value("description"),
    creationDate: element.value("creation_date"),
    hostId: element.idOf("host"),
    vmId: element.idOf("vm"),
    snapshotId: element.idOf("snapshot"),
  };
}

/** True when the phase is final. */
export function isFinalBackupPhase(phase: string | undefined): boolean {
  return phase === "succeeded" || phase === "failed";
}
