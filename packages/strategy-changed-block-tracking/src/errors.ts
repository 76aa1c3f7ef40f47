import { ManagerError } from "@ovault/contract";

/** The engine could not start the backup, or ended it by itself while it was read. */
export class BackupFailedError extends ManagerError {
  override readonly code: string = "E_BACKUP_FAILED";
}
