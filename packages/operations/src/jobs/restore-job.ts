import {
  systemClock,
  type Manager,
  type RecoveryPoint,
  type RestorePlan,
  type RestoreRequest,
  type RunHooks,
  type Strategy,
} from "@ovault/contract";
import { restoreVirtualMachine, type PointStore } from "@ovault/core";
import { z } from "zod";

import { asRun } from "../events/as-run.ts";
import type { Installation } from "../installation/installation.ts";
import { clearLeftovers } from "../leftovers/leftovers.ts";
import { strategyToRestore } from "../select/choose-strategy.ts";
import { findPoint } from "../select/find-point.ts";
import { summarizeMachine } from "../summaries/machine-summary.ts";
import type { RestoredVm } from "../summaries/restore-summary.ts";
import type { InnerContext } from "../inner-context.ts";
import type { JobContext } from "../job-context.ts";
import { inJob } from "./in-job.ts";
import { flag, name } from "./job-fields.ts";

/** Restores a recovery point as a new virtual machine. */
export const restoreJobSchema = z.strictObject({
  kind: z.literal("restore"),
  /** Id, a unique beginning of it, or `VM@latest`. */
  point: name,
  /** Name of the new machine. */
  as: name,
  /** Default: the one that the point is from. Where VM means several machines, its own. */
  manager: name.optional(),
  strategy: name.default("auto"),
  /** Default: the one in the point. */
  cluster: name.optional(),
  /** Default: the one in the point. */
  storageDomain: name.optional(),
  /** Networks, or `network/profile`, in the point → in the new machine. */
  networks: z.record(name, name).readonly().default({}),
  mac: z.enum(["keep", "new"]).default("new"),
  start: flag,
  /** Where the strategy leaves machines for an administrator to import: import it as well. */
  import: flag,
  /** Zeros in place of data that cannot be read. */
  salvage: flag,
  /** Destination. */
  from: name.optional(),
});

export type RestoreJob = Readonly<z.output<typeof restoreJobSchema>>;

export async function runRestore(installation: Installation, job: RestoreJob, given: JobContext): Promise<RestoredVm> {
  return await inJob(given, async (context) => {
    const { store, point, manager, strategy, request } = await prepare(installation, job, context);
    const { signal, clock = systemClock } = context;
    const ledger = await installation.ledger();
    const taps = await installation.taps();
    const subject = { job: "restore", machine: summarizeMachine(point.vm), title: job.as } as const;
    return await asRun(subject, context, async (run) => {
      const { runId } = run;
      await clearLeftovers(installation, manager, context);
      const disks = point.disks.map(({ disk, stats }) => ({ ...disk, logicalBytes: stats.logicalBytes }));
      run.announce(disks);
      const startedAtMs = clock.elapsedMs();
      const warnings: string[] = [];
      const collect = (hooks: RunHooks): void => hooks.warning.tap("Result", (warning) => void warnings.push(warning));
      const result = await restoreVirtualMachine({
        runId,
        request,
        store,
        strategy,
        manager: manager.name,
        ledger,
        salvage: job.salvage,
        taps: [...taps, collect, run.follow],
        signal,
      });
      const elapsedMs = Math.round(clock.elapsedMs() - startedAtMs);
      return { point: point.id, manager: manager.name, ...result, warnings, elapsedMs };
    });
  });
}

/** The plan of `runRestore`, step by step. */
export async function planRestore(
  installation: Installation,
  job: RestoreJob,
  given: JobContext,
): Promise<RestorePlan> {
  return await inJob(given, async (context) => {
    const { strategy, request } = await prepare(installation, job, context);
    return await strategy.planRestore(request, context.signal);
  });
}

interface PreparedRestore {
  readonly store: PointStore;
  readonly point: RecoveryPoint;
  readonly manager: Manager;
  readonly strategy: Strategy;
  readonly request: RestoreRequest;
}

async function prepare(installation: Installation, job: RestoreJob, context: InnerContext): Promise<PreparedRestore> {
  const store = await installation.points(job.from);
  const point = await findPoint(store, job.point, context, { rather: job.manager });
  const ownManager = installation.configuration.managers.has(point.vm.manager) ? point.vm.manager : undefined;
  const manager = await installation.manager(job.manager ?? ownManager);
  const { as, cluster, storageDomain, networks, mac, start, import: imports } = job;
  const request: RestoreRequest = {
    point,
    disks: point.disks,
    name: as,
    networks: new Map(Object.entries(networks)),
    mac,
    start,
    import: imports,
    ...(cluster === undefined ? {} : { cluster }),
    ...(storageDomain === undefined ? {} : { storageDomain }),
  };
  const strategy = strategyToRestore(await installation.strategies(manager), manager, job.strategy);
  return { store, point, manager, strategy, request };
}
