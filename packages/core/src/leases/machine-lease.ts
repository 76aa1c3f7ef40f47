import type { VirtualMachine } from "@ovault/contract";
import type { LeaseOptions } from "./lease.ts";
import type { Protection } from "../format/protection.ts";

/** The lease of a run that makes points of a machine. Machines of two managers do not wait for each other. */
export function machineLease(
  { nameOf }: Pick<Protection, "nameOf">,
  vm: Pick<VirtualMachine, "manager" | "id" | "name">,
): Pick<LeaseOptions, "resource"> & { readonly title: string } {
  return { resource: `vm-${nameOf(vm)}`, title: `virtual machine ${vm.name}` };
}
