import { ManagerError, type ErrorCode } from "@ovault/contract";

/** The engine could not start the backup, or ended it by itself while it was read. */
export class BackupFailedError extends ManagerError {
  static override readonly code: ErrorCode = "E_BACKUP_FAILED";
}
