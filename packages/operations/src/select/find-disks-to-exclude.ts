import { NotFoundError, type VirtualMachine } from "@ovault/contract";

import { findDisk } from "./find-disk.ts";

/**
 * Ids of the named disks, each in every machine that has it.
 * @throws NotFoundError for one that no machine has
 */
export function findDisksToExclude(vms: readonly VirtualMachine[], wanted: readonly string[]): ReadonlySet<string> {
  return new Set(wanted.flatMap((disk) => findInAny(vms, disk)));
}

function findInAny(vms: readonly VirtualMachine[], wanted: string): readonly string[] {
  const ids: string[] = [];
  let missing: unknown;
  for (const vm of vms) {
    try {
      ids.push(findDisk(vm.disks, wanted, vm.name).id);
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
      missing = error;
    }
  }
  if (ids.length === 0) throw missing;
  return ids;
}
