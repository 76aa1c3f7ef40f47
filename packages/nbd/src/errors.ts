import { SourceError, type ErrorOptionsWithHint, type ErrorCode } from "@ovault/contract";

import { ERRNO, type NbdErrno } from "./protocol.ts";

/** Base class of the errors between an NBD client and a server. */
export class NbdError extends SourceError {
  static override readonly code: ErrorCode = "E_NBD";
}

/** The connection failed, broke, or was closed. Transient unless we closed it ourselves. */
export class NbdConnectionError extends NbdError {
  static override readonly code: ErrorCode = "E_NBD_CONNECTION";
}

/** Client and server could not agree on how to talk: a refused option, an old protocol, a missed deadline. */
export class NbdHandshakeError extends NbdError {
  static override readonly code: ErrorCode = "E_NBD_HANDSHAKE";
}

/** The server has no export of this name. */
export class NbdExportUnknownError extends NbdHandshakeError {
  static override readonly code: ErrorCode = "E_NBD_EXPORT_UNKNOWN";
}

/** The server refused or requires TLS, or its certificate does not prove its identity. */
export class NbdTlsError extends NbdHandshakeError {
  static override readonly code: ErrorCode = "E_NBD_TLS";
}

/** The peer violated the protocol. The connection is closed, because nothing on it can be trusted any more. */
export class NbdProtocolError extends NbdError {
  static override readonly code: ErrorCode = "E_NBD_PROTOCOL";
}

/** One request failed; the connection goes on. `errno` is the server's answer. */
export class NbdRequestError extends NbdError {
  static override readonly code: ErrorCode = "E_NBD_REQUEST";
  readonly errno: NbdErrno;

  constructor(errno: NbdErrno, message: string, options: ErrorOptionsWithHint = {}) {
    const retry = errno === "ENOMEM" || errno === "ESHUTDOWN" ? "transient" : "never";
    super(message, { retry, ...options, context: { ...options.context, errno } });
    this.errno = errno;
  }
}

const NAME_BY_NUMBER = new Map<number, NbdErrno>(
  Object.entries(ERRNO).map(([name, number]) => [number, name as NbdErrno]),
);

/** Numbers outside the protocol's list count as EINVAL, as the protocol requires. */
export function errnoName(number: number): NbdErrno {
  return NAME_BY_NUMBER.get(number) ?? "EINVAL";
}

/** The protocol's name for an export's error: its own errno, that of a system call, or EIO. */
export function errnoOf(error: unknown): NbdErrno {
  if (error instanceof NbdRequestError) return error.errno;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "EACCES":
    case "EROFS":
    case "EPERM":
      return "EPERM";
    case "EDQUOT":
    case "EFBIG":
    case "ENOSPC":
      return "ENOSPC";
    case "ENOMEM":
      return "ENOMEM";
    default:
      return "EIO";
  }
}
