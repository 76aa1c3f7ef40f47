import { ManagerError, type ErrorCode } from "@ovault/contract";

/** The engine could not make a snapshot. */
export class SnapshotFailedError extends ManagerError {
  static override readonly code: ErrorCode = "E_SNAPSHOT_FAILED";
}

/** A snapshot could not be removed, and an automatic retry might do harm. */
export class SnapshotRemovalError extends ManagerError {
  static override readonly code: ErrorCode = "E_SNAPSHOT_REMOVAL";
}

/** A storage domain has too little space to begin. Nothing was made. */
export class NoRoomError extends ManagerError {
  static override readonly code: ErrorCode = "E_NO_ROOM";
}
