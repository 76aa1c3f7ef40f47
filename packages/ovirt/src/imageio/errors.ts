import { ManagerError, ManagerUnavailableError, SourceError, type ErrorCode } from "@ovault/contract";

/** imageio answered with a status that is not a success and has no class of its own. `context.status` tells which. */
export class ImageioError extends ManagerError {
  static override readonly code: ErrorCode = "E_IMAGEIO";
}

/**
 * imageio refuses the ticket of this transfer (403): unknown, expired, cancelled, or without the right asked for. Only
 * the phase of the transfer, read from the engine, tells which.
 */
export class TicketError extends ImageioError {
  static override readonly code: ErrorCode = "E_IMAGEIO_TICKET";
}

/** The connection to imageio broke or fell silent; what was under way is lost, the same request may succeed again. */
export class ImageioConnectionError extends ManagerUnavailableError {
  static override readonly code: ErrorCode = "E_IMAGEIO_CONNECTION";
}

/** The transfer has no dirty extents (404): not an incremental one, or the bitmap is not there. Read it in full. */
export class NoDirtyExtentsError extends SourceError {
  static override readonly code: ErrorCode = "E_NO_DIRTY_EXTENTS";
}
