import { ManagerError, type ErrorCode } from "@ovault/contract";

/** The engine could not start the backup, or ended it while it was being read. */
export class BackupFailedError extends ManagerError {
  static override readonly code: ErrorCode = "E_BACKUP_FAILED";
}
