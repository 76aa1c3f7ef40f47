import { type ErrorCode, type ErrorOptionsWithHint, OvaultError, StoreError } from "@ovault/contract";

/** A server with SSH could not be used. */
export class SshError extends OvaultError {
  static override readonly code: ErrorCode = "E_SSH";
}

/** The server refuses this user, or the credentials cannot be used. */
export class SshLoginError extends SshError {
  static override readonly code: ErrorCode = "E_SSH_LOGIN";
}

/** The server does not answer, or closed the connection. */
export class SshUnavailableError extends SshError {
  static override readonly code: ErrorCode = "E_SSH_UNAVAILABLE";
}

/** The server does not run the command, or the command failed, took too long or printed too much. */
export class RemoteCommandError extends SshError {
  static override readonly code: ErrorCode = "E_SSH_COMMAND";

  /** Undefined when the command did not end by itself. */
  readonly exitCode: number | undefined;

  constructor(message: string, options: ErrorOptionsWithHint & { readonly exitCode?: number | undefined }) {
    super(message, options);
    this.exitCode = options.exitCode;
  }
}

/** No way through the server to a socket of it. */
export class TunnelError extends SshError {
  static override readonly code: ErrorCode = "E_SSH_TUNNEL";
}

/**
 * The server's key is unknown, changed or revoked: it may be another server. Nothing was sent to it. A StoreError,
 * because destinations throw nothing else; other users of SSH wrap it as the cause of their own errors.
 */
export class HostKeyError extends StoreError {
  static override readonly code: ErrorCode = "E_HOST_KEY";
}
