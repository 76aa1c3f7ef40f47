import type { Manager, VirtualMachine } from "@ovault/contract";
import { excludedDisks, machinesOfPolicy, schedulesIncrements, type Policy, type StrategyChoice } from "@ovault/core";

import type { Installation } from "../installation/installation.ts";
import { chooseForMachine } from "./choose-strategy.ts";
import { placedPolicies } from "./policy-places.ts";

/** What a backup would do with a machine. */
export interface AssessedMachine {
  readonly vm: VirtualMachine;
  /** Those that select it, in the order of ovault.yaml. The first one applies. */
  readonly policies: readonly Policy[];
  /** Whether a policy schedules increments for it. */
  readonly keepBase: boolean;
  readonly choice: StrategyChoice;
}

/**
 * What a backup would do with each machine of a manager: by the policy that selects it, otherwise with the strategy that
 * `auto` chooses.
 */
export async function assessMachines(
  installation: Installation,
  manager: Manager,
  signal: AbortSignal,
): Promise<readonly AssessedMachine[]> {
  const strategies = await installation.strategies(manager);
  const all = placedPolicies(installation.configuration);
  const assessed: AssessedMachine[] = [];
  for (const vm of await manager.inventory(signal)) {
    const policies = all.filter((policy) => machinesOfPolicy([vm], policy).length > 0);
    const [policy] = policies;
    const excludeDisks = excludedDisks(vm, policy?.excludeDisks ?? []);
    const keepBase = schedulesIncrements(vm, policies);
    const machine = { wanted: policy?.strategy ?? "auto", manager, vm, excludeDisks, keepBase, signal };
    assessed.push({ vm, policies, keepBase, choice: await chooseForMachine(strategies, machine) });
  }
  return assessed;
}
