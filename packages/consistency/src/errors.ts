import { OvaultError } from "@ovault/contract";

/** A command before or after the snapshot failed, or did not end in time. */
export class CommandError extends OvaultError {
  override readonly code: string = "E_COMMAND";
}
