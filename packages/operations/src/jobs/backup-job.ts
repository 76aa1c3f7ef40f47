import { UsageError, type OpenedEvent } from "@ovault/contract";
import { backupVirtualMachines, planBackup, startBlockWorkers, unclaimedWarnings, type PointStore } from "@ovault/core";
import { z } from "zod";

import { RunReport } from "../events/run-report.ts";
import type { Installation } from "../installation/installation.ts";
import { clearLeftovers } from "../leftovers/leftovers.ts";
import { missedMachines, missedWarnings } from "../select/missed-machines.ts";
import { machinesOf, managerOf, selectBackups, type SelectedBackups } from "../select/select-backups.ts";
import { summarizePlan, type BackupPlanSummary } from "../summaries/backup-plan-summary.ts";
import { summarizeBackup, type BackupSummary } from "../summaries/backup-summary.ts";
import { summarizeMachine } from "../summaries/machine-summary.ts";
import { errorSummary } from "../text/error-summary.ts";
import type { InnerContext } from "../inner-context.ts";
import type { JobContext } from "../job-context.ts";
import { inJob } from "./in-job.ts";
import { flag, name, names, soundBy } from "./job-fields.ts";

/** Backs up virtual machines: those named, or those of a policy. */
export const backupJobSchema = z
  .strictObject({
    kind: z.literal("backup"),
    /** Names, ids or selectors; empty with a policy. */
    vms: names,
    policy: name.optional(),
    manager: name.optional(),
    /** Destination. */
    to: name.optional(),
    /** Default: that of the policy, or `auto`. */
    strategy: name.optional(),
    /** Ids, aliases or indexes. */
    excludeDisks: names,
    /** Default: as the policy says, or `try`. */
    quiesce: z.enum(["require", "try", "never"]).optional(),
    /** Keep the snapshot that an increment starts from, though no policy schedules one. */
    keepBase: flag,
    /** Trust no change tracking. */
    full: flag,
    /** When another run holds a machine, wait for it instead of refusing. */
    wait: flag,
  })
  .superRefine(soundBy(assertBackupSound));

export type BackupJob = Readonly<z.output<typeof backupJobSchema>>;

/**
 * Runs as many backups at once as the limits allow. A machine that fails does not stop the others; the error of a
 * single machine is thrown.
 */
export async function runBackup(
  installation: Installation,
  job: BackupJob,
  given: JobContext,
): Promise<readonly BackupSummary[]> {
  return await inJob(given, async (context) => {
    assertBackupSound(job);
    startBlockWorkers();
    const { signal, clock, queue } = context;
    // First of all: leftovers of a dead run at a proxy VM, or in a machine, would affect the choice of strategies.
    const machinesOfRun = () => machinesOf(installation, job, signal);
    await clearLeftovers(installation, await managerOf(installation, job), context, { machinesOfRun });
    const selected = await selectBackups(installation, job, signal);
    const { manager, destination, limits, consistency, backups } = selected;
    const store = await installation.points(destination);
    await warnAbout(selected, store, context);
    const ledger = await installation.ledger();
    const taps = await installation.taps();
    const { quiesce, tap } = await installation.consistency(manager, consistency);
    const strategies = await installation.strategies(manager);
    const runs = backups.length;
    const opened = new Map<string, OpenedEvent>();
    const outcomes = await backupVirtualMachines({
      strategies,
      backups: backups.map(({ vm, choice, excludeDisks, keepBase }) => {
        const run = new RunReport({ job: "backup", machine: summarizeMachine(vm), title: vm.name, runs }, context);
        return {
          runId: run.runId,
          vm,
          keepBase,
          strategy: choice.strategy,
          assessment: choice.assessment,
          strategyReason: choice.reason,
          excludeDisks,
          taps: [
            ...taps,
            tap,
            run.follow,
            (hooks) => hooks.opened.tap("runBackup", (event) => opened.set(vm.id, event)),
          ],
        };
      }),
      store,
      ledger,
      limits,
      queue,
      full: job.full,
      quiesce,
      ifBusy: job.wait ? "wait" : "refuse",
      signal,
      ...(clock && { clock }),
    });
    signal.throwIfAborted();
    const [only] = outcomes;
    if (outcomes.length === 1 && only?.error !== undefined) throw only.error;
    return outcomes.map((outcome) => summarizeBackup(outcome, opened.get(outcome.vm.id), context.field));
  });
}

/** What `runBackup` would do with each machine. The error of a single machine is thrown. */
export async function planBackups(
  installation: Installation,
  job: BackupJob,
  given: JobContext,
): Promise<readonly BackupPlanSummary[]> {
  return await inJob(given, async (context) => {
    assertBackupSound(job);
    const { signal, reporter } = context;
    const selected = await selectBackups(installation, job, signal);
    const { destination, backups } = selected;
    const store = await installation.points(destination);
    await warnAbout(selected, store, context);
    const plans: BackupPlanSummary[] = [];
    for (const { vm, choice, excludeDisks, keepBase } of backups) {
      const { strategy } = choice;
      try {
        const plan = await planBackup({ vm, strategy, assessed: choice, store, excludeDisks, keepBase, signal });
        for (const warning of unclaimedWarnings(plan.unclaimed)) reporter.warn(warning);
        plans.push(summarizePlan(plan, choice, job.full));
      } catch (error) {
        if (signal.aborted || backups.length === 1) throw error;
        plans.push({ vm: summarizeMachine(vm), disks: [], error: errorSummary(error, context.field) });
      }
    }
    return plans;
  });
}

/** Warns about selectors of a policy that match nothing, and machines that it does not select any more. */
async function warnAbout(
  { selectedBy, warnings }: SelectedBackups,
  { points }: PointStore,
  { signal, reporter }: InnerContext,
): Promise<void> {
  for (const warning of warnings) reporter.warn(warning);
  if (selectedBy === undefined) return;
  const { policy, inventory } = selectedBy;
  const missed = missedMachines(policy, inventory, await points.newest(signal));
  for (const warning of missedWarnings(policy, missed)) reporter.warn(warning);
}

/** Requires either machines or a policy. @throws UsageError */
export function assertBackupSound({ policy, vms, manager }: Pick<BackupJob, "policy" | "vms" | "manager">): void {
  if (policy === undefined && vms.length === 0) {
    throw new UsageError("nothing says what to back up", {
      hint: (field) => `Name virtual machines, or a policy with ${field("policy")}.`,
    });
  }
  if (policy !== undefined && (vms.length > 0 || manager !== undefined)) {
    throw new UsageError("a policy names its virtual machines and their manager itself");
  }
}
