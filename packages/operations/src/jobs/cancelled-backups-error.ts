import { CancelledError, messageOf } from "@ovault/contract";

import type { BackupSummary } from "../summaries/backup-summary.ts";

/** A backup of several machines was cancelled. Machines that were done by then have their points. */
export class CancelledBackupsError extends CancelledError {
  static override readonly brand: string = "CancelledBackupsError";
  /** What each machine has come to. */
  readonly results: readonly BackupSummary[];

  constructor(cause: CancelledError, results: readonly BackupSummary[]) {
    super(messageOf(cause), { cause });
    this.results = results;
  }
}
