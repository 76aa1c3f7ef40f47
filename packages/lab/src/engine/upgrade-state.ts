import { randomUUID } from "node:crypto";

import type { EngineState, Inventory, Named, TagState } from "./engine-state.ts";

/** State of labs of earlier releases: one entity of each kind, and machines with few settings. */
interface EarlierState extends Omit<EngineState, "inventory" | "tags" | "exportDomains" | "dataDomains" | "templates"> {
  exportDomains?: EngineState["exportDomains"];
  dataDomains?: EngineState["dataDomains"];
  templates?: EngineState["templates"];
  inventory: Inventory | EarlierInventory;
  tags?: TagState[];
}

interface EarlierInventory {
  readonly dataCenter: Named;
  readonly cluster: Named;
  readonly host: Named;
  readonly storageDomain: Named;
  readonly networks: readonly Named[];
  readonly vnicProfiles: Inventory["vnicProfiles"];
}

interface EarlierVm {
  readonly description?: string;
  readonly memoryBytes?: number;
  readonly cores?: number;
  readonly os?: string;
  readonly virtioScsi?: boolean;
  readonly tags?: readonly string[];
}

/** Upgrades a state of this release or an earlier one to that of this release. */
export function upgraded(kept: EarlierState): EngineState {
  const { tags = [], exportDomains = [], dataDomains = [], templates = [] } = kept;
  const inventory = "clusters" in kept.inventory ? kept.inventory : widened(kept.inventory);
  const state: EngineState = { ...kept, inventory, tags, exportDomains, dataDomains, templates };
  const [cluster] = inventory.clusters;
  const [domain] = inventory.storageDomains;
  for (const vm of Object.values<EngineState["vms"][string] & EarlierVm>(state.vms)) {
    vm.settings ??= earlierSettings(vm);
    vm.clusterId ??= cluster?.id ?? "";
    vm.tagIds ??= (vm.tags ?? []).map((name) => tagNamed(tags, name));
    for (const nic of vm.nics) {
      nic.interface ??= "virtio";
      nic.linked ??= true;
      nic.plugged ??= true;
    }
  }
  for (const disk of Object.values(state.disks)) disk.storageDomainId ??= domain?.id ?? "";
  return state;
}

function widened({ dataCenter, cluster, host, storageDomain, networks, vnicProfiles }: EarlierInventory): Inventory {
  const inCenter = <T extends Named>(one: T): T & { dataCenterId: string } => ({ ...one, dataCenterId: dataCenter.id });
  return {
    dataCenters: [dataCenter],
    clusters: [inCenter(cluster)],
    hosts: [{ ...host, clusterId: cluster.id }],
    storageDomains: [inCenter(storageDomain)],
    networks: networks.map(inCenter),
    vnicProfiles,
  };
}

function earlierSettings({ description, memoryBytes, cores, os, virtioScsi }: EarlierVm): Record<string, string> {
  const settings = {
    description,
    memory: memoryBytes,
    "cpu.topology.sockets": cores,
    "os.type": os,
    "virtio_scsi.enabled": virtioScsi,
  };
  return Object.fromEntries(
    Object.entries(settings).flatMap(([path, value]) => (value === undefined ? [] : [[path, String(value)]])),
  );
}

function tagNamed(tags: TagState[], name: string): string {
  const found = tags.find((tag) => tag.name === name);
  if (found !== undefined) return found.id;
  const made = { id: randomUUID(), name, description: "" };
  tags.push(made);
  return made.id;
}
