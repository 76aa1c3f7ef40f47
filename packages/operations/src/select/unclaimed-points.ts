import { machineKey, type RecoveryPoint, type VirtualMachine } from "@ovault/contract";

import type { Installation } from "../installation/installation.ts";

/**
 * The newest points of machines whose id is in an inventory, but whose manager's name is not in ovault.yaml: a sign of
 * a renamed manager.
 */
export function unclaimedPoints(
  installation: Installation,
  inventory: readonly VirtualMachine[],
  newest: ReadonlyMap<string, RecoveryPoint>,
): readonly RecoveryPoint[] {
  const ids = new Set(inventory.map(({ id }) => id));
  return installation.unclaimed([...newest.values()]).filter(({ vm }) => ids.has(vm.id));
}

/**
 * What to think of before a manager gets a former name. Two managers may have machines with one id: the one whose
 * machine has points under its present name is hardly the renamed one.
 * @param manager its name in ovault.yaml
 */
export function renameHint(
  manager: string,
  unclaimed: readonly RecoveryPoint[],
  newest: ReadonlyMap<string, RecoveryPoint>,
): string {
  const own = unclaimed.filter(({ vm }) => newest.has(machineKey({ manager, id: vm.id })));
  if (own.length === 0) return "Without it their next backups are full.";
  return `Machines of ${manager} with these ids have points under that name: look first whether another manager was renamed.`;
}
