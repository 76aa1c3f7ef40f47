import { ManagerError, ManagerUnavailableError, SourceError, type ErrorCode } from "@ovault/contract";

/** imageio answered with a failure status that has no class of its own; see `context.status`. */
export class ImageioError extends ManagerError {
  static override readonly code: ErrorCode = "E_IMAGEIO";
}

/**
 * imageio refuses the ticket of this transfer (403): unknown, expired, cancelled, or without the requested right. Only
 * the phase of the transfer, read from the engine, shows which.
 */
export class TicketError extends ImageioError {
  static override readonly code: ErrorCode = "E_IMAGEIO_TICKET";
}

/** The connection to imageio broke or fell silent; the request in flight is lost, a retry may succeed. */
export class ImageioConnectionError extends ManagerUnavailableError {
  static override readonly code: ErrorCode = "E_IMAGEIO_CONNECTION";
}

/** The transfer has no dirty extents (404): it is not incremental, or the bitmap is missing. Read it in full. */
export class NoDirtyExtentsError extends SourceError {
  static override readonly code: ErrorCode = "E_NO_DIRTY_EXTENTS";
}
