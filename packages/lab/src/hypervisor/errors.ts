import { OvaultError } from "@ovault/contract";

/** The lab's hypervisor refused or could not do what was asked. */
export class HypervisorError extends OvaultError {
  override readonly code: string = "E_LAB_HYPERVISOR";
}

/** A checkpoint cannot be the start of an increment: its bitmap is inconsistent. */
export class CheckpointError extends HypervisorError {
  override readonly code: string = "E_LAB_CHECKPOINT";
}

/** QEMU answered a QMP command with an error, or went away before it answered. */
export class QmpError extends HypervisorError {
  override readonly code: string = "E_LAB_QMP";
}
