import type { RecoveryPoint, VirtualMachine } from "@ovault/contract";

import type { Installation } from "../installation/installation.ts";

/**
 * Of the newest points, those of machines that are in an inventory by their ids, but whose manager has a name that
 * ovault.yaml does not know: a sign of a manager that was renamed.
 */
export function unclaimedPoints(
  installation: Installation,
  inventory: readonly VirtualMachine[],
  newest: ReadonlyMap<string, RecoveryPoint>,
): readonly RecoveryPoint[] {
  const ids = new Set(inventory.map(({ id }) => id));
  return installation.unclaimed([...newest.values()]).filter(({ vm }) => ids.has(vm.id));
}
