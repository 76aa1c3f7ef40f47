import { ManagerError, type ErrorCode } from "@ovault/contract";

/** The engine cannot use a share of points as a storage domain, or cannot let go of it. */
export class ShareDomainError extends ManagerError {
  static override readonly code: ErrorCode = "E_SHARE_DOMAIN";
}

/** The engine gave up on the move of a disk: it is where it was, and its machine runs on. */
export class MoveFailedError extends ManagerError {
  static override readonly code: ErrorCode = "E_MOVE_FAILED";
}
