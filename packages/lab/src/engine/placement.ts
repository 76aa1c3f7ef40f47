import { NotFoundError } from "@ovault/contract";

import { conflict, type EngineFault } from "./engine-fault.ts";
import type { HostState, Inventory, VmState } from "./engine-state.ts";
import { known } from "./inventory.ts";
import { setting } from "./vm-settings.ts";

/** The host on which a machine runs, or would run. */
export function hostOf(inventory: Inventory, vm: Pick<VmState, "clusterId" | "hostId">): HostState {
  if (vm.hostId !== undefined) return known(inventory.hosts, vm.hostId);
  const [first] = hostsOf(inventory, vm.clusterId);
  if (first === undefined) throw new NotFoundError(`cluster ${vm.clusterId} has no host`);
  return first;
}

/**
 * The host on which a machine starts: the wanted one, else one of its placement policy, else any that is up.
 * @throws EngineFault 409 when there is none
 */
export function hostToStart(inventory: Inventory, vm: VmState, wanted?: string): HostState {
  const hosts = hostsOf(inventory, vm.clusterId).filter(isUp);
  const preferred = vm.settings["placement_policy.hosts"] ?? [];
  const isPinned = preferred.length > 0 && setting(vm.settings, "placement_policy.affinity") === "pinned";
  const chosen = hosts.find(({ id }) => (wanted === undefined ? preferred.includes(id) : id === wanted));
  const found = chosen ?? (wanted === undefined && !isPinned ? hosts[0] : undefined);
  if (found === undefined) throw noHost("run VM");
  return found;
}

/**
 * The host to which a running machine moves: the wanted one, else another one that is up. In a cluster of one host it
 * arrives where it was.
 * @throws EngineFault 409 when there is none
 */
export function hostToMigrate(inventory: Inventory, vm: VmState, wanted?: string): HostState {
  const here = hostOf(inventory, vm);
  const all = hostsOf(inventory, vm.clusterId);
  if (wanted === undefined && all.length === 1) return here;
  const found = all.find((host) => isUp(host) && host !== here && (wanted ?? host.id) === host.id);
  if (found === undefined) throw noHost("migrate VM");
  return found;
}

export function isUp({ status = "up" }: HostState): boolean {
  return status === "up";
}

function hostsOf({ hosts }: Inventory, cluster: string): readonly HostState[] {
  return hosts.filter(({ clusterId }) => clusterId === cluster);
}

function noHost(action: string): EngineFault {
  return conflict(
    `Cannot ${action}. There is no host that satisfies current scheduling constraints. See below for details:`,
  );
}
