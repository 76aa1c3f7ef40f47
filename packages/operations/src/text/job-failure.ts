import { CancelledError, DeadlineError } from "@ovault/contract";

import { CancelledBackupsError } from "../jobs/cancelled-backups-error.ts";
import { isAbort } from "./error-kind.ts";

/**
 * What a job fails with: where its signal is aborted the cancellation, whatever the abort made fail first. A reason that
 * is a CancelledError or a DeadlineError stays what it is; any other is the text of the cancellation, if it has a text.
 */
export function jobFailure(error: unknown, { aborted, reason }: AbortSignal): unknown {
  if (!aborted || error instanceof CancelledBackupsError) return error;
  if (reason instanceof CancelledError || reason instanceof DeadlineError) return reason;
  return new CancelledError(textOf(reason) || "the job was cancelled", { cause: error });
}

function textOf(reason: unknown): string | undefined {
  if (reason instanceof Error) return isAbort(reason) ? undefined : reason.message;
  return typeof reason === "object" || typeof reason === "function" ? undefined : String(reason);
}
