import { ManagerError, type ErrorCode } from "@ovault/contract";

/** A machine, or one of its disks, is in a state that allows no backup, and did not leave it in time. */
export class MachineStateError extends ManagerError {
  static override readonly code: ErrorCode = "E_MACHINE_STATE";
}
