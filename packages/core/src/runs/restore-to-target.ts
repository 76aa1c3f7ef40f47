import type { DiskTarget } from "../contract/disk-target.ts";
import type { DiskRecord, RecoveryPoint } from "../contract/recovery-point.ts";
import { createRunHooks, observe, type RunHooks } from "../hooks/run-hooks.ts";
import type { RestoreTotals } from "../pipeline/restore-disk.ts";
import type { Repository } from "../repository/repository.ts";
import { DEFAULT_LANES } from "./default-lanes.ts";
import { runFailure } from "./cancellation.ts";
import { restoreDisks } from "./restore-disks.ts";

/** Restores one disk of a point into any target, with nothing but the repository. */
export async function restoreToTarget(options: {
  readonly point: RecoveryPoint;
  readonly record: DiskRecord;
  readonly target: DiskTarget;
  readonly repository: Repository;
  readonly taps: readonly ((hooks: RunHooks) => void)[];
  readonly signal: AbortSignal;
}): Promise<RestoreTotals> {
  const { point, record, target, repository, signal } = options;
  const hooks = createRunHooks();
  for (const tap of options.taps) tap(hooks);
  try {
    return await restoreDisks({ point, repository, pairs: [{ record, target }], lanes: DEFAULT_LANES, hooks, signal });
  } catch (error) {
    throw runFailure(error, signal);
  } finally {
    observe(hooks.finished);
  }
}
