import { NotFoundError, type VirtualMachine } from "@ovault/contract";
import { isPlainName, selectMachines } from "@ovault/core";

import { findVirtualMachine } from "./find-virtual-machine.ts";

/**
 * The virtual machines that names or selectors (`web*`, `tag:backup`…) match, each once.
 * @throws NotFoundError for one that matches none; UsageError for a name that several have, or an invalid selector
 */
export function findVirtualMachines(
  inventory: readonly VirtualMachine[],
  wanted: readonly string[],
): readonly VirtualMachine[] {
  return [...new Set(wanted.flatMap((one) => findMeant(inventory, one)))];
}

function findMeant(inventory: readonly VirtualMachine[], wanted: string): readonly VirtualMachine[] {
  if (isPlainName(wanted)) return [findVirtualMachine(inventory, wanted)];
  const { machines } = selectMachines(inventory, { include: [wanted], exclude: [] });
  if (machines.length > 0) return machines;
  throw new NotFoundError(`"${wanted}" means no virtual machine`, {
    context: { vm: wanted },
    hint: "Names are case sensitive. `ovault vms` shows what there is.",
  });
}
