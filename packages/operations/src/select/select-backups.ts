import type { ConsistencyOptions } from "@ovault/consistency";
import { NotFoundError, type Manager, type Quiesce, type VirtualMachine } from "@ovault/contract";
import {
  choosePolicy,
  DEFAULT_RUN_LIMITS,
  excludedDisks,
  schedulesIncrements,
  selectMachines,
  type MachineSelection,
  type Policy,
  type RunLimits,
  type StrategyChoice,
} from "@ovault/core";

import type { Installation } from "../installation/installation.ts";
import { chooseForMachine } from "./choose-strategy.ts";
import { consistencySettings, defaultConsistency } from "../installation/consistency-settings.ts";
import { findDisksToExclude } from "./find-disks-to-exclude.ts";
import { findVirtualMachines } from "./find-virtual-machines.ts";
import { placedPolicies, withPlaces } from "./policy-places.ts";

/** The backups that a job asks for. */
export interface WantedBackups {
  /** Names, ids or selectors; empty with a policy. */
  readonly vms: readonly string[];
  readonly policy?: string | undefined;
  readonly manager?: string | undefined;
  readonly to?: string | undefined;
  readonly strategy?: string | undefined;
  /** Ids, aliases or indexes. */
  readonly excludeDisks?: readonly string[] | undefined;
  readonly quiesce?: Quiesce | undefined;
  readonly keepBase?: boolean | undefined;
}

export interface SelectedBackup {
  readonly vm: VirtualMachine;
  readonly choice: StrategyChoice;
  /** Ids. */
  readonly excludeDisks: readonly string[];
  /** Whether to expect an increment, by the policy or the command line. */
  readonly keepBase: boolean;
}

export interface SelectedBackups {
  readonly manager: Manager;
  /** Name in the configuration; the default one when undefined. */
  readonly destination: string | undefined;
  readonly limits: RunLimits;
  readonly consistency: ConsistencyOptions;
  readonly backups: readonly SelectedBackup[];
  /** The policy, with its manager and destination filled in, and all machines of the manager; undefined without one. */
  readonly selectedBy: { readonly policy: Policy; readonly inventory: readonly VirtualMachine[] } | undefined;
  /** Selectors of the policy that match nothing. */
  readonly warnings: readonly string[];
}

/** The machines of a request, among all of their manager. */
export interface WantedMachines {
  readonly inventory: readonly VirtualMachine[];
  readonly vms: readonly VirtualMachine[];
  /** Selectors of the policy that match nothing. */
  readonly warnings: readonly string[];
}

/**
 * Resolves every name before any backup starts. `machines`: if they were looked for already.
 * @throws NotFoundError when there is nothing to back up
 */
export async function selectBackups(
  installation: Installation,
  wanted: WantedBackups,
  signal: AbortSignal,
  machines?: WantedMachines,
): Promise<SelectedBackups> {
  const { configuration } = installation;
  const policies = placedPolicies(configuration);
  const policy = policyOf(installation, wanted);
  const manager = await managerOf(installation, wanted);
  // Before the first question: what the configuration names must be there.
  const strategies = await installation.strategies(manager);
  const { inventory, vms, warnings } = machines ?? (await machinesOf(installation, wanted, signal));
  const excluded = findDisksToExclude(vms, wanted.excludeDisks ?? []);
  const strategy = wanted.strategy ?? policy?.strategy ?? "auto";
  const backups: SelectedBackup[] = [];
  for (const vm of vms) {
    const byPolicy = excludedDisks(vm, policy?.excludeDisks ?? []);
    const excludeDisks = vm.disks.map(({ id }) => id).filter((id) => excluded.has(id) || byPolicy.includes(id));
    const keepBase = wanted.keepBase === true || schedulesIncrements(vm, policies);
    const machine = { wanted: strategy, manager, vm, excludeDisks, keepBase, signal };
    const choice = await chooseForMachine(strategies, machine);
    backups.push({ vm, choice, excludeDisks, keepBase });
  }
  const destination = wanted.to ?? policy?.destination;
  const limits = policy?.limits ?? DEFAULT_RUN_LIMITS;
  const consistency =
    policy === undefined ? defaultConsistency(wanted) : consistencySettings(configuration, policy, wanted);
  const selected = policy && { policy: withPlaces(policy, configuration), inventory };
  return { manager, destination, limits, consistency, backups, selectedBy: selected, warnings };
}

/** The machines of the request. @throws NotFoundError when there are none */
export async function machinesOf(
  installation: Installation,
  wanted: WantedBackups,
  signal: AbortSignal,
): Promise<WantedMachines> {
  const policy = policyOf(installation, wanted);
  const inventory = await (await managerOf(installation, wanted)).inventory(signal);
  return { inventory, ...(policy === undefined ? named(inventory, wanted) : selectedBy(policy, inventory)) };
}

/** The manager of the request; sends it nothing. */
export async function managerOf(installation: Installation, wanted: WantedBackups): Promise<Manager> {
  return await installation.manager(wanted.manager ?? policyOf(installation, wanted)?.manager);
}

function policyOf({ configuration }: Installation, { policy }: WantedBackups): Policy | undefined {
  return policy === undefined ? undefined : choosePolicy(configuration, policy);
}

type Selected = Omit<WantedMachines, "inventory">;

function named(inventory: readonly VirtualMachine[], { vms }: WantedBackups): Selected {
  return { vms: findVirtualMachines(inventory, vms), warnings: [] };
}

/** @throws NotFoundError when it selects nothing: a run without data must not succeed */
function selectedBy({ name, vms: selection }: Policy, inventory: readonly VirtualMachine[]): Selected {
  const { machines, unmatched } = selectMachines(inventory, selection);
  const warnings = unmatchedWarnings(name, unmatched);
  if (machines.length > 0) return { vms: machines, warnings };
  throw new NotFoundError(`policy ${name} selects no virtual machine`, {
    context: { policy: name },
    hint: `It has: ${describeSelection(selection)}. \`ovault vms\` shows what there is.`,
  });
}

/** Warnings for selectors that match no machine. */
export function unmatchedWarnings(policy: string, unmatched: readonly string[]): readonly string[] {
  return unmatched.map((selector) => `policy ${policy}: no virtual machine is meant by "${selector}"`);
}

/** `web*, tag:backup without *-test` */
export function describeSelection({ include, exclude }: MachineSelection): string {
  return [include.join(", "), ...(exclude.length === 0 ? [] : [exclude.join(", ")])].join(" without ");
}
