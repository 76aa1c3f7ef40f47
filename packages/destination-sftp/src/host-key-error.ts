import { StoreError } from "@ovault/core";

/** The server's key is unknown, changed or revoked: it may be somebody else's server. Nothing was sent to it. */
export class HostKeyError extends StoreError {
  override readonly code: string = "E_HOST_KEY";
}
