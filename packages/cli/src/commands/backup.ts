import { messageOf, plural, type Quiesce, type RunHooks } from "@ovault/contract";
import {
  backupVirtualMachines,
  planBackup,
  startBlockWorkers,
  unclaimedWarnings,
  type MachineBackupOutcome,
  type PointStore,
} from "@ovault/core";
import {
  Installation,
  clearLeftovers,
  missedMachines,
  missedWarnings,
  assertOneWay,
  machinesOf,
  managerOf,
  selectBackups,
  type SelectedBackups,
} from "@ovault/operations";
import { Option } from "commander";

import { collect, examples, type CommandContext, type Define } from "../command.ts";
import { exitCodeOfAll } from "../exit-code-of.ts";
import {
  plansData,
  plansView,
  resultsData,
  resultsView,
  summarizePlan,
  type BackupPlanOutcome,
} from "./backup-view.ts";
import { reportOnInterruption } from "../report-on-interruption.ts";

interface BackupCommandOptions {
  readonly policy?: string;
  readonly strategy?: string;
  readonly quiesce?: Quiesce;
  readonly keepBase?: boolean;
  readonly full?: boolean;
  readonly excludeDisk?: readonly string[];
  readonly to?: string;
  readonly manager?: string;
  readonly wait?: boolean;
  readonly dryRun?: boolean;
}

export const define: Define = (command, invoke) => {
  command
    .argument("[vm...]", "names or ids of virtual machines, or selectors: web*, /REGEX/, tag:GLOB, cluster:GLOB")
    .option("--policy <name>", "all virtual machines of this policy, as it says")
    .option("--strategy <name>", "how the data leaves the hypervisor (default: that of the policy, or auto)")
    .addOption(
      new Option(
        "--quiesce <how>",
        "file systems frozen at the instant: no point without, where possible, or not asked for (default: as the policy says, or try)",
      ).choices(["require", "try", "never"]),
    )
    .option("--keep-base", "keep the snapshot that an increment starts from, though no policy schedules one")
    .option("--full", "trust no change tracking; a new chain starts here")
    .option("--exclude-disk <disk>", "leave a disk out: id, alias or index; repeatable", collect)
    .option("--to <destination>", "destination to store to")
    .option("--manager <name>", "manager the virtual machines belong to")
    .option("--wait", "when another run holds the virtual machine, wait for it instead of refusing")
    .option("--dry-run", "show what would be done and change nothing")
    .addHelpText(
      "after",
      examples(
        ["ovault backup web01", "incremental where possible, else full"],
        ["ovault backup web01 db01 --full", "both from scratch"],
        ["ovault backup 'web*' tag:backup", "all that are named so, or carry this tag"],
        ["ovault backup --policy nightly", "what the policy selects, within its limits"],
        ["ovault backup db01 --exclude-disk scratch", "without the disk of that alias"],
      ),
    )
    .action((vms: readonly string[], options: BackupCommandOptions) =>
      invoke(command, async (context) => {
        assertOneWay({ vms, ...options });
        if (options.dryRun === true) {
          const plans = await planBackups(context, vms, options);
          return {
            data: plansData(plans),
            view: plansView(plans),
            exitCode: exitCodeOfAll(plans.map(({ error }) => error)),
          };
        }
        const results = await backUp(context, vms, options);
        return {
          data: resultsData(results),
          view: resultsView(results),
          exitCode: exitCodeOfAll(results.map(({ error }) => error)),
        };
      }),
    );
};

/**
 * Runs as many backups at once as the limits allow. A machine that fails does not stop the others; the error of a
 * single machine is thrown.
 */
export async function backUp(
  context: CommandContext,
  vms: readonly string[],
  options: BackupCommandOptions,
): Promise<readonly MachineBackupOutcome[]> {
  startBlockWorkers();
  await using installation = await Installation.open(context);
  const { signal, terminal } = context;
  const wanted = { vms, ...options };
  // First of all: leftovers of a dead run at a proxy VM, or in a machine, would affect the choice of strategies.
  const machinesOfRun = () => machinesOf(installation, wanted, signal);
  await clearLeftovers(installation, await managerOf(installation, wanted), context, { machinesOfRun });
  const selected = await selectBackups(installation, wanted, signal);
  const { manager, destination, limits, consistency, backups } = selected;
  const repository = await installation.repository(destination);
  await complainAbout(selected, repository, context);
  const ledger = await installation.ledger();
  reportOnInterruption(ledger, context);
  const taps = await installation.taps();
  const { quiesce, tap } = await installation.consistency(manager, consistency);
  const showEnd = backups.length > 1 ? endsShown(backups.length, context) : () => [];
  const strategies = await installation.strategies(manager);
  const outcomes = await backupVirtualMachines({
    strategies,
    backups: backups.map(({ vm, choice, excludeDisks, keepBase }) => ({
      vm,
      keepBase,
      strategy: choice.strategy,
      assessment: choice.assessment,
      strategyReason: choice.reason,
      excludeDisks,
      taps: [...taps, tap, terminal.showRun(vm.name), ...showEnd(vm.name)],
    })),
    store: repository,
    ledger,
    limits,
    full: options.full === true,
    quiesce,
    ifBusy: options.wait === true ? "wait" : "refuse",
    signal,
  });
  signal.throwIfAborted();
  const [only] = outcomes;
  if (outcomes.length === 1 && only?.error !== undefined) throw only.error;
  return outcomes;
}

/** The plan of `backUp`. */
export async function planBackups(
  context: CommandContext,
  vms: readonly string[],
  options: BackupCommandOptions,
): Promise<readonly BackupPlanOutcome[]> {
  await using installation = await Installation.open(context);
  const { signal, terminal } = context;
  const selected = await selectBackups(installation, { vms, ...options }, signal);
  const { destination, backups } = selected;
  const repository = await installation.repository(destination);
  await complainAbout(selected, repository, context);
  const plans: BackupPlanOutcome[] = [];
  for (const { vm, choice, excludeDisks, keepBase } of backups) {
    try {
      const plan = await planBackup({
        vm,
        strategy: choice.strategy,
        assessed: choice,
        store: repository,
        excludeDisks,
        keepBase,
        signal,
      });
      for (const warning of unclaimedWarnings(plan.unclaimed)) terminal.warn(warning);
      plans.push({ vm, plan: summarizePlan(plan, choice, options.full === true), error: undefined });
    } catch (error) {
      if (signal.aborted || backups.length === 1) throw error;
      plans.push({ vm, plan: undefined, error });
    }
  }
  return plans;
}

/** Warns about selectors of a policy that match nothing, and machines that it does not select any more. */
async function complainAbout(
  { selectedBy, warnings }: SelectedBackups,
  { points }: PointStore,
  { signal, terminal }: CommandContext,
): Promise<void> {
  for (const warning of warnings) terminal.warn(warning);
  if (selectedBy === undefined) return;
  const { policy, inventory } = selectedBy;
  const missed = missedMachines(policy, inventory, await points.newest(signal));
  for (const warning of missedWarnings(policy, missed)) terminal.warn(warning);
}

/** Reports, while several backups run, how each ended and the overall progress. */
function endsShown(all: number, { terminal }: CommandContext): (vm: string) => readonly ((hooks: RunHooks) => void)[] {
  let ended = 0;
  return (vm) => [
    (hooks) => {
      hooks.failed.tap("Ends", (error) => terminal.note(`${vm}: failed: ${messageOf(error)}`));
      hooks.finished.tap("Ends", () => {
        ended += 1;
        terminal.note(`${ended} of ${plural(all, "virtual machine")} done`);
      });
    },
  ];
}
