import { OvaultError, type ErrorCode } from "@ovault/contract";

/** An NFS server could not start. */
export class NfsServerError extends OvaultError {
  static override readonly code: ErrorCode = "E_NFS_SERVER";
}

/** What a client sent is no call of ONC RPC, or its arguments end early or are too long. */
export class NfsProtocolError extends OvaultError {
  static override readonly code: ErrorCode = "E_NFS_PROTOCOL";
}

/** An NFS server does not answer, or refuses what its client asks for. */
export class NfsClientError extends OvaultError {
  static override readonly code: ErrorCode = "E_NFS_CLIENT";
}
