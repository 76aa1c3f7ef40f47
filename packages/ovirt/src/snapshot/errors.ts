import { ManagerError } from "@ovault/contract";

/** The engine could not make a snapshot. */
export class SnapshotFailedError extends ManagerError {
  override readonly code: string = "E_SNAPSHOT_FAILED";
}

/** A snapshot could not be removed, and trying again by itself might do harm. */
export class SnapshotRemovalError extends ManagerError {
  override readonly code: string = "E_SNAPSHOT_REMOVAL";
}

/** A storage domain is too full to begin. Nothing was made. */
export class NoRoomError extends ManagerError {
  override readonly code: string = "E_NO_ROOM";
}
