import { CancelledError, DeadlineError, messageOf } from "@ovault/contract";

import { CancelledBackupsError } from "../jobs/cancelled-backups-error.ts";
import { isAbort } from "./error-kind.ts";

/**
 * What a job fails with: where its signal is aborted the cancellation, whatever the abort made fail first. A reason that
 * is a CancelledError or a DeadlineError stays what it is; any other is the text of the cancellation.
 */
export function jobFailure(error: unknown, { aborted, reason }: AbortSignal): unknown {
  if (!aborted || error instanceof CancelledBackupsError) return error;
  if (reason instanceof CancelledError || reason instanceof DeadlineError) return reason;
  return new CancelledError(isAbort(reason) ? "the job was cancelled" : messageOf(reason), { cause: error });
}
