import { SourceError } from "@ovault/core";

/** The engine ended a transfer by itself while it was read. */
export class TransferEndedError extends SourceError {
  override readonly code: string = "E_TRANSFER_ENDED";
}
