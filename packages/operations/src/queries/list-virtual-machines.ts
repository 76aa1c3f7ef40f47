import { compareNatural } from "@ovault/contract";
import { excludedDisks, machinesOfPolicy, schedulesIncrements } from "@ovault/core";

import type { Installation } from "../installation/installation.ts";
import { chooseForMachine } from "../select/choose-strategy.ts";
import { placedPolicies } from "../select/policy-places.ts";
import { summarizeVm, type VmSummary } from "../summaries/vm-summary.ts";

/**
 * The inventory by name, with what a backup would do with each disk: by the policy that selects the machine, otherwise
 * with the strategy that `auto` chooses.
 */
export async function listVirtualMachines(
  installation: Installation,
  options: { readonly manager?: string | undefined },
  signal: AbortSignal,
): Promise<readonly VmSummary[]> {
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
    summaries.push(summarizeVm(vm, selecting, await chooseForMachine(strategies, machine)));
  }
  return summaries.toSorted((a, b) => compareNatural(a.name, b.name));
}
