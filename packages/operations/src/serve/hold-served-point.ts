import {
  messageOf,
  type RecoveryPoint,
  StoreFullError,
  StorePermissionError,
  StoreReadOnlyError,
} from "@ovault/contract";
import type { PointHold, PointStore } from "@ovault/core";

import type { JobContext } from "../job-context.ts";

/**
 * Holds a point that is going to be served. A destination that cannot be written costs a warning: it may be all that is
 * left to restore from. `keptAs`: name of a hold that outlives this process.
 */
export async function holdServedPoint(
  store: PointStore,
  point: RecoveryPoint,
  runId: string,
  { reporter, signal, clock }: Pick<JobContext, "reporter" | "signal" | "clock">,
  keptAs?: string,
): Promise<PointHold | undefined> {
  try {
    const onRenewed = (message: string): void => reporter.warn(message);
    const options = { runId, onRenewed, signal, ...(clock && { clock }), ...(keptAs !== undefined && { keptAs }) };
    const hold = await store.hold(point, options);
    hold.signal.addEventListener("abort", () => reporter.warn(messageOf(hold.signal.reason)), { once: true });
    return hold;
  } catch (error) {
    if (!isUnwritable(error)) throw error;
    reporter.warn(`${point.id} is not held, so a prune may delete it when it is forgotten: ${messageOf(error)}`);
    return undefined;
  }
}

/** Whether no hold could be written. */
export function isUnwritable(error: unknown): boolean {
  return [StoreReadOnlyError, StorePermissionError, StoreFullError].some((kind) => error instanceof kind);
}
