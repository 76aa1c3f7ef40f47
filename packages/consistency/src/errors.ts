import { OvaultError, type ErrorCode } from "@ovault/contract";

/** A command before or after the snapshot failed, or did not end in time. */
export class CommandError extends OvaultError {
  static override readonly code: ErrorCode = "E_COMMAND";
}
