import {
  type DiskTarget,
  type DiskRecord,
  type RecoveryPoint,
  createRunHooks,
  observe,
  type RunHooks,
} from "@ovault/contract";
import type { PointStore } from "../points/point-store.ts";
import { DEFAULT_LANES } from "./default-lanes.ts";
import { runFailure } from "../concurrency/cancellation.ts";
import { restoreDisks, type RestoredDisks } from "./restore-disks.ts";

/** Restores one disk of a point into any target; needs only the store. */
export async function restoreToTarget(options: {
  readonly point: RecoveryPoint;
  readonly record: DiskRecord;
  readonly target: DiskTarget;
  readonly store: PointStore;
  /** Write zeros for unreadable data and report it, instead of failing the restore. */
  readonly salvage?: boolean;
  readonly taps: readonly ((hooks: RunHooks) => void)[];
  readonly signal: AbortSignal;
}): Promise<RestoredDisks> {
  const { point, record, target, store, salvage = false, signal } = options;
  const hooks = createRunHooks();
  for (const tap of options.taps) tap(hooks);
  try {
    const pairs = [{ record, target }];
    return await restoreDisks({ point, store, pairs, lanes: DEFAULT_LANES, salvage, hooks, signal });
  } catch (error) {
    throw runFailure(error, signal);
  } finally {
    observe(hooks.finished);
  }
}
