import { CancelledError, NotFoundError, UsageError } from "@ovault/contract";
import { backupVirtualMachines, planBackup, startBlockWorkers, unclaimedWarnings, type PointStore } from "@ovault/core";
import { z } from "zod";

import { MachineRuns } from "../events/machine-runs.ts";
import type { Installation } from "../installation/installation.ts";
import { clearLeftovers } from "../leftovers/leftovers.ts";
import { missedMachines, missedWarnings } from "../select/missed-machines.ts";
import { machinesOf, managerOf, selectBackups, type SelectedBackups } from "../select/select-backups.ts";
import { summarizePlan, type BackupPlanSummary } from "../summaries/backup-plan-summary.ts";
import { summarizeBackup, type BackupSummary } from "../summaries/backup-summary.ts";
import { summarizeMachine } from "../summaries/machine-summary.ts";
import { errorSummary } from "../text/error-summary.ts";
import { jobFailure } from "../text/job-failure.ts";
import type { InnerContext } from "../inner-context.ts";
import type { JobContext } from "../job-context.ts";
import { CancelledBackupsError } from "./cancelled-backups-error.ts";
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
 * @throws CancelledBackupsError with what each of several machines has come to
 */
export async function runBackup(
  installation: Installation,
  job: BackupJob,
  given: JobContext,
): Promise<readonly BackupSummary[]> {
  return await inJob(given, async (context) => {
    assertBackupSound(job);
    startBlockWorkers();
    const runs = new MachineRuns(context);
    try {
      return await backUpMachines(installation, job, context, runs);
    } catch (error) {
      runs.failAll(error);
      throw error;
    }
  });
}

async function backUpMachines(
  installation: Installation,
  job: BackupJob,
  context: InnerContext,
  runs: MachineRuns,
): Promise<readonly BackupSummary[]> {
  const { signal, clock, queue, field } = context;
  const chosen = await managerOf(installation, job);
  // Before the first question: what the configuration names must be there.
  const strategies = await installation.strategies(chosen);
  const machines = await machinesOf(installation, job, signal);
  runs.start(machines.vms);
  // Before strategies are chosen: leftovers of a dead run at a proxy VM, or in a machine, would affect the choice.
  const machinesOfRun = async () => machines.vms;
  const hadLeftovers = await clearLeftovers(installation, chosen, context, { machinesOfRun });
  const selected = await selectBackups(installation, job, signal, hadLeftovers ? undefined : machines);
  const { manager, destination, limits, consistency, backups } = selected;
  const vms = backups.map(({ vm }) => vm);
  runs.start(vms);
  runs.failAll(
    new NotFoundError("the manager has this virtual machine no more, or the policy does not select it"),
    vms,
  );
  const store = await installation.points(destination);
  await warnAbout(selected, store, context);
  const ledger = await installation.ledger();
  const taps = await installation.taps();
  const { quiesce, tap } = await installation.consistency(manager, consistency);
  const outcomes = await backupVirtualMachines({
    strategies,
    backups: backups.map(({ vm, choice, excludeDisks, keepBase }) => {
      const run = runs.of(vm);
      const { report } = run;
      return {
        runId: report.runId,
        onQueued: (full) => report.waits(`a place in the queue, within the limits of ${full.join(", ")}`),
        vm,
        keepBase,
        strategy: choice.strategy,
        assessment: choice.assessment,
        strategyReason: choice.reason,
        excludeDisks,
        taps: [
          ...taps,
          tap,
          report.follow,
          (hooks) => {
            hooks.opened.tap("Result", (event) => void (run.opened = event));
            hooks.warning.tap("Result", (warning) => void run.warnings.push(warning));
          },
        ],
      };
    }),
    store,
    ledger,
    limits,
    queue,
    full: job.full,
    quiesce,
    onEnd: ({ vm, error }) => {
      // A run that is cancelled in the queue has no hooks that could say so.
      if (error !== undefined) runs.of(vm).report.fail(error);
    },
    ifBusy: job.wait ? "wait" : "refuse",
    signal,
    ...(clock && { clock }),
  });
  const [only] = outcomes;
  if (outcomes.length === 1 && only?.error !== undefined) throw only.error;
  const results = outcomes.map((outcome) => summarizeBackup(outcome, runs.of(outcome.vm), field));
  // An abort that comes when all machines are done changes nothing.
  const isCancelled = outcomes.some(({ error }) => error instanceof CancelledError || error === signal.reason);
  if (!signal.aborted || !isCancelled) return results;
  const failure = jobFailure(undefined, signal);
  throw failure instanceof CancelledError ? new CancelledBackupsError(failure, results) : failure;
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
