import { compareNatural, type DiskAssessment, type VirtualMachine } from "@ovault/contract";
import { excludedDisks, machinesOfPolicy, schedulesIncrements, type Policy, type StrategyChoice } from "@ovault/core";
import { Installation, formatBytes, chooseForMachine, placedPolicies } from "@ovault/operations";

import { examples, type CommandContext, type Define } from "../command.ts";
import { table, type View } from "../output/view.ts";
import { choicesView, considered, type ConsideredStrategy } from "./considered-strategies.ts";

interface VmsOptions {
  readonly manager?: string;
}

/** A virtual machine as `--json` shows it. Sizes in bytes. */
export interface VmSummary {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly cluster: string | null;
  readonly host: string | null;
  readonly tags: readonly string[];
  /** The policies that select it, in the order of ovault.yaml. The first one applies. */
  readonly policies: readonly string[];
  readonly strategy: string;
  readonly strategyReason: string;
  /** The other strategies, the best first. */
  readonly rejected: readonly ConsideredStrategy[];
  readonly disks: readonly VmDiskSummary[];
}

export interface VmDiskSummary {
  readonly id: string;
  readonly alias: string;
  readonly index: number;
  readonly logicalBytes: number;
  readonly actualBytes: number | null;
  readonly format: string;
  readonly verdict: DiskAssessment["verdict"];
  readonly reason: string;
}

export const define: Define = (command, invoke) => {
  command
    .option("--manager <name>", "manager to ask")
    .addHelpText("after", examples(["ovault vms", "every disk, and how a backup would take it"]))
    .action((options: VmsOptions) =>
      invoke(command, async (context) => {
        const vms = await listVirtualMachines(context, options);
        return { data: vms, view: vmsView(vms) };
      }),
    );
};

/**
 * The inventory by name, with what a backup would do with each disk: by the policy that selects the machine, otherwise
 * with the strategy that `auto` chooses.
 */
export async function listVirtualMachines(context: CommandContext, options: VmsOptions): Promise<readonly VmSummary[]> {
  await using installation = await Installation.open(context);
  const { signal } = context;
  const manager = await installation.manager(options.manager);
  const strategies = await installation.strategies(manager);
  const policies = placedPolicies(installation.configuration);
  const summaries: VmSummary[] = [];
  for (const vm of await manager.inventory(signal)) {
    const selecting = policies.filter((policy) => machinesOfPolicy([vm], policy).length > 0);
    const [policy] = selecting;
    const excludeDisks = excludedDisks(vm, policy?.excludeDisks ?? []);
    const keepBase = schedulesIncrements(vm, selecting);
    const machine = { wanted: policy?.strategy ?? "auto", manager, vm, excludeDisks, keepBase, signal };
    summaries.push(summarize(vm, selecting, await chooseForMachine(strategies, machine)));
  }
  return summaries.toSorted((a, b) => compareNatural(a.name, b.name));
}

function summarize(
  vm: VirtualMachine,
  policies: readonly Policy[],
  { strategy, reason, disks, rejected }: StrategyChoice,
): VmSummary {
  const [policy] = policies;
  const excluded = excludedDisks(vm, policy?.excludeDisks ?? []);
  const byPolicy = `by policy ${policy?.name}`;
  return {
    id: vm.id,
    name: vm.name,
    status: vm.status,
    cluster: vm.cluster?.name ?? null,
    host: vm.host?.name ?? null,
    tags: vm.tags ?? [],
    policies: policies.map(({ name }) => name),
    strategy: strategy.name,
    strategyReason: policy === undefined || policy.strategy === "auto" ? reason : `${reason} ${byPolicy}`,
    rejected: rejected.map((other) => considered(other, vm)),
    disks: vm.disks.map((disk) => {
      const found = disks.find(({ diskId }) => diskId === disk.id);
      return {
        id: disk.id,
        alias: disk.alias,
        index: disk.index,
        logicalBytes: disk.logicalBytes,
        actualBytes: disk.actualBytes ?? null,
        format: disk.format,
        ...(excluded.includes(disk.id)
          ? { verdict: "skip" as const, reason: `excluded ${byPolicy}` }
          : {
              verdict: found?.verdict ?? ("impossible" as const),
              reason: found?.reason ?? `${strategy.name} does not know this disk`,
            }),
      };
    }),
  };
}

export function vmsView(vms: readonly VmSummary[]): View {
  const rows = vms.flatMap(({ name, status, policies, strategy, disks }) => {
    const selected = policies.join(", ");
    if (disks.length === 0) return [[name, status, "", "no disks", "", "", "", "", selected, ""]];
    return disks.map((disk, position) => [
      position === 0 ? name : "",
      position === 0 ? status : "",
      String(disk.index),
      disk.alias,
      formatBytes(disk.logicalBytes),
      disk.actualBytes === null ? "" : formatBytes(disk.actualBytes),
      disk.verdict,
      strategy,
      position === 0 ? selected : "",
      disk.reason,
    ]);
  });
  const titles = ["vm", "status", ">#", "disk", ">size", ">used", "backup", "strategy", "policy", "why"];
  return [
    table(titles, rows, "no virtual machines are visible to this user"),
    ...choicesView(vms.map((vm) => ({ ...vm, vm }))),
  ];
}
