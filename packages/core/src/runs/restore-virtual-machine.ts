import {
  type RestoreRequest,
  type RestoredVirtualMachine,
  type Strategy,
  createRunHooks,
  observe,
  type RunHooks,
  plural,
} from "@ovault/contract";
import type { Ledger } from "../ledger/ledger.ts";
import type { PointStore } from "../points/point-store.ts";
import { DEFAULT_LANES } from "./default-lanes.ts";
import { endLedger } from "./end-ledger.ts";
import { runFailure } from "../concurrency/cancellation.ts";
import { pairTargets, restoreDisks, type RestoredDisks } from "./restore-disks.ts";
import { newRunId } from "../util/run-id.ts";

export interface RestoreOptions {
  /** Default: a new one. */
  readonly runId?: string;
  readonly request: RestoreRequest;
  readonly store: PointStore;
  readonly strategy: Strategy;
  /** Name of the manager in the configuration. */
  readonly manager: string;
  readonly ledger: Ledger;
  readonly taps: readonly ((hooks: RunHooks) => void)[];
  readonly lanes?: number;
  /** Write zeros for unreadable data and report it, instead of failing the restore. */
  readonly salvage?: boolean;
  readonly signal: AbortSignal;
}

export interface RestoreResult extends RestoredDisks {
  readonly vm: RestoredVirtualMachine;
  readonly runId: string;
}

/** Restores a point as a new virtual machine. Rejects with nothing left on the manager that could be removed. */
export async function restoreVirtualMachine(options: RestoreOptions): Promise<RestoreResult> {
  const { runId = newRunId(), request, store, strategy, salvage = false, signal } = options;
  const hooks = createRunHooks();
  for (const tap of options.taps) tap(hooks);
  const ledger = await options.ledger.forRun({ runId, manager: options.manager, strategy: strategy.name });
  try {
    observe(hooks.phase, { phase: "check", detail: "looking for obstacles on the manager" });
    const session = await strategy.openRestore(request, { runId, ledger, hooks, signal });
    try {
      const opened = session.disks.map(({ diskId, carrier = null }) => ({ diskId, carrier }));
      observe(hooks.opened, { strategy: strategy.name, point: request.point.id, disks: opened });
      observe(hooks.phase, { phase: "copy", detail: plural(request.disks.length, "disk") });
      const pairs = pairTargets(request.point, session.disks);
      const lanes = options.lanes ?? DEFAULT_LANES;
      const totals = await restoreDisks({ point: request.point, store, pairs, lanes, salvage, hooks, signal });
      observe(hooks.phase, { phase: "commit", detail: `making virtual machine ${request.name}` });
      return { ...totals, vm: await session.commit(), runId };
    } catch (error) {
      observe(hooks.phase, { phase: "cleanup", detail: "removing what this run made on the manager" });
      await session.abort();
      throw error;
    }
  } catch (error) {
    const failure = runFailure(error, signal);
    observe(hooks.failed, failure);
    throw failure;
  } finally {
    await endLedger(ledger, hooks);
    observe(hooks.finished);
  }
}
