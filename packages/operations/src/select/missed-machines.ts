import { compareNatural, machineKey, type RecoveryPoint, type VirtualMachine } from "@ovault/contract";
import { machinesOfPolicy, selectMachines, type Policy } from "@ovault/core";

import { formatTime } from "../text/format.ts";

/** Machines that a policy selects by their newest points, but not by the present inventory. */
export interface MissedMachines {
  /** The manager does not have them any more. */
  readonly gone: readonly MissedMachine[];
  /** They exist, but their name, tags or cluster no longer match the policy. */
  readonly unselected: readonly MissedMachine[];
}

/** The newest point of such a machine. */
export type MissedMachine = Pick<RecoveryPoint, "vm" | "takenAt">;

/**
 * @param policy with its manager filled in
 * @param inventory all machines of that manager
 * @param newest by `machineKey`
 */
export function missedMachines(
  policy: Policy,
  inventory: readonly VirtualMachine[],
  newest: ReadonlyMap<string, RecoveryPoint>,
): MissedMachines {
  const there = new Set(inventory.map(machineKey));
  const selected = new Set(selectMachines(inventory, policy.vms).machines.map(machineKey));
  const points = new Map([...newest.values()].map((point) => [point.vm, point]));
  const missed = machinesOfPolicy([...points.keys()], policy)
    .filter((vm) => !selected.has(machineKey(vm)))
    .toSorted((a, b) => compareNatural(a.name, b.name))
    .flatMap((vm) => points.get(vm) ?? []);
  return {
    gone: missed.filter(({ vm }) => !there.has(machineKey(vm))),
    unselected: missed.filter(({ vm }) => there.has(machineKey(vm))),
  };
}

export function missedWarnings({ name, manager }: Policy, { gone, unselected }: MissedMachines): readonly string[] {
  return [
    ...(gone.length === 0
      ? []
      : [`policy ${name}: gone from ${manager ?? "the manager"} since their last points: ${describe(gone)}`]),
    ...(unselected.length === 0
      ? []
      : [`policy ${name}: not selected any more since their last points: ${describe(unselected)}`]),
  ];
}

function describe(missed: readonly MissedMachine[]): string {
  return missed.map(({ vm, takenAt }) => `${vm.name} (${vm.id}, ${formatTime(takenAt)})`).join(", ");
}
