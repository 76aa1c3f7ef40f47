import type { RecoveryPoint, VirtualMachine } from "@ovault/contract";

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
