import { CancelledError, OvaultError } from "@ovault/contract";

/** What a run rejects with: an aborted signal's own error, whatever the abort made fail first. */
export function runFailure(error: unknown, signal: AbortSignal): unknown {
  if (!signal.aborted) return error;
  if (signal.reason instanceof OvaultError) return signal.reason;
  return new CancelledError("the run was cancelled", { cause: error });
}
