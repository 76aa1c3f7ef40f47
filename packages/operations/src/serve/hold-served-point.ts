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
 * left to restore from.
 */
export async function holdServedPoint(
  store: PointStore,
  point: RecoveryPoint,
  runId: string,
  { reporter, signal, clock }: Pick<JobContext, "reporter" | "signal" | "clock">,
): Promise<PointHold | undefined> {
  try {
    const onRenewed = (message: string): void => reporter.warn(message);
    const hold = await store.hold(point, { runId, onRenewed, signal, ...(clock && { clock }) });
    hold.signal.addEventListener("abort", () => reporter.warn(messageOf(hold.signal.reason)), { once: true });
    return hold;
  } catch (error) {
    const cannotWrite = [StoreReadOnlyError, StorePermissionError, StoreFullError];
    if (!cannotWrite.some((kind) => error instanceof kind)) throw error;
    reporter.warn(`${point.id} is not held, so a prune may delete it when it is forgotten: ${messageOf(error)}`);
    return undefined;
  }
}
