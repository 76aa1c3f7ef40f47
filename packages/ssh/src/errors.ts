import { OvaultError, StoreError, type ErrorCode } from "@ovault/contract";

/** A server with SSH could not be used. */
export class SshError extends OvaultError {
  static override readonly code: ErrorCode = "E_SSH";
}

/** The server does not let this user in, or what should let it in cannot be used. */
export class SshLoginError extends SshError {
  static override readonly code: ErrorCode = "E_SSH_LOGIN";
}

/** The server does not answer, or ended the connection. */
export class SshUnavailableError extends SshError {
  static override readonly code: ErrorCode = "E_SSH_UNAVAILABLE";
}

/**
 * The server's key is unknown, changed or revoked: it may be another server. Nothing was sent to it. A StoreError,
 * for destinations throw nothing else; what else uses SSH names it as the cause of errors of its own.
 */
export class HostKeyError extends StoreError {
  static override readonly code: ErrorCode = "E_HOST_KEY";
}
