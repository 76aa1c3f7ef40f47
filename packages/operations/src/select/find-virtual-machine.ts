import { didYouMean, NotFoundError, plural, UsageError, type VirtualMachine } from "@ovault/contract";

/**
 * The virtual machine with this id or name.
 * @throws NotFoundError for an unknown one; UsageError when several have the name (data centres may repeat names).
 */
export function findVirtualMachine(inventory: readonly VirtualMachine[], wanted: string): VirtualMachine {
  const byId = inventory.find(({ id }) => id === wanted);
  if (byId !== undefined) return byId;
  const [vm, ...more] = inventory.filter(({ name }) => name === wanted);
  if (vm === undefined) {
    const names = inventory.map(({ name }) => name);
    throw new NotFoundError(`there is no virtual machine "${wanted}"${didYouMean(wanted, names)}`, {
      context: { vm: wanted },
      hint: "Names are case sensitive. `ovault vms` shows what there is.",
    });
  }
  if (more.length > 0) {
    throw new UsageError(`${more.length + 1} virtual machines are named "${wanted}"`, {
      context: { vm: wanted },
      hint: `Use an id: ${[vm, ...more].map(describe).join(", ")}.`,
    });
  }
  return vm;
}

function describe({ id, status, cluster, disks }: VirtualMachine): string {
  const place = cluster === undefined ? "" : `, in cluster ${cluster.name}`;
  return `${id} (${status}${place}, ${plural(disks.length, "disk")})`;
}
