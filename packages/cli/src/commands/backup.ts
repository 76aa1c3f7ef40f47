import {
  backupVirtualMachine,
  NotFoundError,
  planBackup,
  type Manager,
  type Quiesce,
  type Strategy,
  type VirtualMachine,
} from "@ovault/core";
import { Option } from "commander";

import { collect, examples, type CommandContext, type Define } from "../command.ts";
import { exitCodeOf } from "../exit-code-of.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { Installation } from "../installation.ts";
import { clearLeftovers, reportOnInterruption } from "../leftovers.ts";
import { chooseStrategy } from "../select/choose-strategy.ts";
import { findDisk } from "../select/find-disk.ts";
import { findVirtualMachine } from "../select/find-virtual-machine.ts";
import {
  plansView,
  resultsData,
  resultsView,
  summarizePlan,
  type BackupResult,
  type PlanSummary,
} from "./backup-view.ts";
import { summarizePoint } from "./point-summary.ts";

interface BackupCommandOptions {
  readonly strategy: string;
  readonly quiesce: Quiesce;
  readonly full?: boolean;
  readonly excludeDisk?: readonly string[];
  readonly to?: string;
  readonly manager?: string;
  readonly wait?: boolean;
  readonly dryRun?: boolean;
}

export const define: Define = (command, invoke) => {
  command
    .argument("<vm...>", "names or ids of virtual machines")
    .option("--strategy <name>", "how the data leaves the hypervisor", "auto")
    .addOption(
      new Option(
        "--quiesce <how>",
        "file systems frozen at the instant: no point without, where possible, or not asked for",
      )
        .choices(["require", "try", "never"])
        .default("try"),
    )
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
        ["ovault backup db01 --exclude-disk scratch", "without the disk of that alias"],
      ),
    )
    .action((vms: readonly string[], options: BackupCommandOptions) =>
      invoke(command, async (context) => {
        if (options.dryRun === true) {
          const plans = await planBackups(context, vms, options);
          return { data: plans, view: plansView(plans) };
        }
        const results = await backUp(context, vms, options);
        return { data: resultsData(results), view: resultsView(results), exitCode: exitCodeOfResults(results) };
      }),
    );
};

/** One after the other. A machine that fails does not stop the others; an only one that fails is thrown. */
export async function backUp(
  context: CommandContext,
  names: readonly string[],
  options: BackupCommandOptions,
): Promise<readonly BackupResult[]> {
  await using installation = await Installation.open(context);
  const { signal } = context;
  const targets = await selectTargets(installation, names, options, signal);
  const repository = await installation.repository(options.to);
  await clearLeftovers(installation, targets.manager, context);
  const ledger = await installation.ledger();
  reportOnInterruption(ledger, context);
  const taps = await installation.taps();
  const { quiesce, tap } = await installation.consistency(targets.manager, options.quiesce);
  const results: BackupResult[] = [];
  for (const { vm, strategy, excludeDisks } of targets.vms) {
    const startedAt = performance.now();
    const outcome = { vm: { id: vm.id, name: vm.name } };
    try {
      const point = await backupVirtualMachine({
        vm,
        strategy,
        repository,
        ledger,
        excludeDisks,
        full: options.full === true,
        quiesce,
        ifBusy: options.wait === true ? "wait" : "refuse",
        taps: [...taps, tap, context.terminal.showRun(vm.name)],
        signal,
      });
      const elapsedMs = Math.round(performance.now() - startedAt);
      results.push({ ...outcome, elapsedMs, point: summarizePoint(point), error: undefined });
    } catch (error) {
      if (signal.aborted || targets.vms.length === 1) throw error;
      results.push({ ...outcome, elapsedMs: Math.round(performance.now() - startedAt), point: undefined, error });
    }
  }
  return results;
}

/** What `backUp` would do. */
export async function planBackups(
  context: CommandContext,
  names: readonly string[],
  options: BackupCommandOptions,
): Promise<readonly PlanSummary[]> {
  await using installation = await Installation.open(context);
  const { signal } = context;
  const targets = await selectTargets(installation, names, options, signal);
  const repository = await installation.repository(options.to);
  const plans: PlanSummary[] = [];
  for (const { vm, strategy, excludeDisks } of targets.vms) {
    const plan = await planBackup({ vm, strategy, repository, excludeDisks, signal });
    plans.push(summarizePlan(plan, options.full === true));
  }
  return plans;
}

interface Target {
  readonly vm: VirtualMachine;
  readonly strategy: Strategy;
  /** Ids. */
  readonly excludeDisks: readonly string[];
}

/** Every name is resolved before anything is started. */
async function selectTargets(
  installation: Installation,
  names: readonly string[],
  options: BackupCommandOptions,
  signal: AbortSignal,
): Promise<{ readonly manager: Manager; readonly vms: readonly Target[] }> {
  const manager = await installation.manager(options.manager);
  const inventory = await manager.inventory(signal);
  const vms = [...new Set(names.map((name) => findVirtualMachine(inventory, name)))];
  const excluded = new Set((options.excludeDisk ?? []).flatMap((wanted) => findDiskIds(vms, wanted)));
  const strategies = await installation.strategies(manager);
  const targets: Target[] = [];
  for (const vm of vms) {
    targets.push({
      vm,
      strategy: await chooseStrategy(strategies, { wanted: options.strategy, manager, vm, signal }),
      excludeDisks: vm.disks.map(({ id }) => id).filter((id) => excluded.has(id)),
    });
  }
  return { manager, vms: targets };
}

/** The disk in every machine that has it; at least one must. */
function findDiskIds(vms: readonly VirtualMachine[], wanted: string): readonly string[] {
  const ids: string[] = [];
  let missing: unknown;
  for (const vm of vms) {
    try {
      ids.push(findDisk(vm.disks, wanted, vm.name).id);
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
      missing = error;
    }
  }
  if (ids.length === 0) throw missing;
  return ids;
}

function exitCodeOfResults(results: readonly BackupResult[]): ExitCode {
  const failed = results.filter(({ error }) => error !== undefined);
  if (failed.length === 0) return EXIT.ok;
  return failed.length < results.length ? EXIT.partial : exitCodeOf(failed[0]?.error);
}
