import { OvaultError, type ErrorCode } from "@ovault/contract";

/** The lab's hypervisor refused or failed an operation. */
export class HypervisorError extends OvaultError {
  static override readonly code: ErrorCode = "E_LAB_HYPERVISOR";
}

/** A checkpoint cannot be the start of an increment: its bitmap is inconsistent. */
export class CheckpointError extends HypervisorError {
  static override readonly code: ErrorCode = "E_LAB_CHECKPOINT";
}

/** QEMU answered a QMP command with an error, or went away before it answered. */
export class QmpError extends HypervisorError {
  static override readonly code: ErrorCode = "E_LAB_QMP";
}
