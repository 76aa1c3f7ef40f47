import {
  compareNatural,
  machineKey,
  machinesOfPolicy,
  type Policy,
  type RecoveryPoint,
  type VirtualMachine,
} from "@ovault/core";

import { formatTime } from "../output/format.ts";

/** The newest point of a machine that a policy selects by it, and that its manager does not have any more. */
export type GoneMachine = Pick<RecoveryPoint, "vm" | "takenAt">;

/**
 * The machines of a policy that were there when their newest points were taken, and are gone now.
 * @param policy with its manager filled in
 * @param inventory all machines of that manager
 * @param newest by `machineKey`
 */
export function goneMachines(
  policy: Policy,
  inventory: readonly VirtualMachine[],
  newest: ReadonlyMap<string, RecoveryPoint>,
): readonly GoneMachine[] {
  const there = new Set(inventory.map(machineKey));
  const gone = [...newest].flatMap(([key, { vm, takenAt }]) => (there.has(key) ? [] : [{ vm, takenAt }]));
  const selected = new Set(
    machinesOfPolicy(
      gone.map(({ vm }) => vm),
      policy,
    ),
  );
  return gone.filter(({ vm }) => selected.has(vm)).toSorted((a, b) => compareNatural(a.vm.name, b.vm.name));
}

export function goneWarnings({ name, manager }: Policy, gone: readonly GoneMachine[]): readonly string[] {
  return gone.map(
    ({ vm, takenAt }) =>
      `policy ${name}: ${vm.name} (${vm.id}) is gone from ${manager ?? vm.manager}; its last point is of ${formatTime(takenAt)}`,
  );
}
