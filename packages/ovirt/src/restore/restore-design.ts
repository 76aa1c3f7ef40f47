import { UsageError } from "@ovault/core";
import type { RestoreRequest } from "@ovault/core";

import type { EngineApi } from "../api/engine-api.ts";
import type { Capabilities } from "../capabilities.ts";
import type { Cluster } from "../model/cluster.ts";
import type { StorageDomain } from "../model/storage-domain.ts";
import type { Vm } from "../model/vm.ts";
import { chooseCluster, chooseStorageDomain } from "./choose-place.ts";
import type { DesignedDisk } from "./designed-disk.ts";
import type { DiskFiller } from "./disk-filler.ts";
import { layOutAsFile, layOutDisk } from "./disk-layout.ts";
import { mapNics } from "./map-nics.ts";
import type { MappedNic } from "./map-nics.ts";
import { savedNics, savedOvf } from "./vm-documents.ts";

/** Everything a restore decides before it makes anything. */
export interface RestoreDesign {
  readonly ovf: string;
  readonly cluster: Cluster;
  readonly disks: readonly DesignedDisk[];
  readonly nics: readonly MappedNic[];
  readonly warnings: readonly string[];
}

/** What a design depends on besides the point. */
export interface RestoreMeans {
  readonly capabilities: Capabilities;
  readonly filler: DiskFiller;
}

/** Reads the engine, changes nothing. @throws {UsageError} saying what to pass when something has no place here. */
export async function designRestore(
  api: EngineApi,
  { capabilities, filler }: RestoreMeans,
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<RestoreDesign> {
  const { point } = request;
  const ovf = savedOvf(point);
  const cluster = chooseCluster(request, await api.infrastructure.clusters(signal));
  const [sameName, domains, networks, profiles, vms] = await Promise.all([
    api.vms.byName(request.name, signal),
    domainsOf(api, cluster, signal),
    api.infrastructure.networks(signal),
    api.infrastructure.vnicProfiles(signal),
    request.mac === "keep" ? vmsWithNics(api, capabilities, signal) : [],
  ]);
  if (sameName !== undefined) {
    throw new UsageError(`there is a virtual machine named ${request.name} already`, {
      context: { vm: sameName.id },
      hint: "Choose another name with --as; a restore never replaces a virtual machine.",
    });
  }
  await filler.assertReach?.(api, cluster, signal);
  const disks = request.disks.map((record): DesignedDisk => {
    const domain = chooseStorageDomain(request.storageDomain, record.disk, domains);
    const layout = layOutDisk(record, point.blockBytes, domain);
    return { record, domain, layout: filler.fillsCow(capabilities) ? layout : layOutAsFile(layout, record, domain) };
  });
  const ofDataCenter = networks.filter(({ dataCenterId }) => dataCenterId === cluster.dataCenterId);
  const nics = mapNics(savedNics(point), request.networks, { networks: ofDataCenter, profiles });
  refuseTakenMacs(nics, vms);
  return { ovf, cluster, disks, nics, warnings: [...layoutWarnings(disks), ...spaceWarnings(disks, point.blockBytes)] };
}

/** The same where the engine takes uploads only as the bytes of a disk's file. */
export function designAsFiles(design: RestoreDesign): RestoreDesign {
  const disks = design.disks.map(({ record, domain, layout }) => ({
    record,
    domain,
    layout: layOutAsFile(layout, record, domain),
  }));
  return { ...design, disks, warnings: [...new Set([...design.warnings, ...layoutWarnings(disks)])] };
}

async function domainsOf(api: EngineApi, cluster: Cluster, signal: AbortSignal): Promise<readonly StorageDomain[]> {
  if (cluster.dataCenterId === undefined) return [];
  return await api.infrastructure.attachedStorageDomains(cluster.dataCenterId, signal);
}

async function vmsWithNics(api: EngineApi, { follow }: Capabilities, signal: AbortSignal): Promise<readonly Vm[]> {
  if (follow) return await api.vms.list({ follow: "nics" }, signal);
  const vms = await api.vms.list({}, signal);
  return await Promise.all(vms.map(async (vm) => ({ ...vm, nics: await api.vms.nics(vm.id, signal) })));
}

/** Two machines with one address disturb each other's network, so it is settled before anything is made. */
function refuseTakenMacs(nics: readonly MappedNic[], vms: readonly Vm[]): void {
  const owners = new Map(vms.flatMap((vm) => (vm.nics ?? []).map(({ mac }) => [mac?.toLowerCase(), vm.name] as const)));
  for (const { nic } of nics) {
    const owner = nic.mac === undefined ? undefined : owners.get(nic.mac.toLowerCase());
    if (owner === undefined) continue;
    throw new UsageError(`the address ${nic.mac} of ${nic.name} is in use by the virtual machine ${owner}`, {
      context: { mac: nic.mac ?? null, owner },
      hint: "Pass --mac new to give the restored machine addresses of its own.",
    });
  }
}

function layoutWarnings(disks: readonly DesignedDisk[]): string[] {
  return disks.flatMap(({ layout }) => (layout.change === undefined ? [] : [layout.change]));
}

function spaceWarnings(disks: readonly DesignedDisk[], blockBytes: number): string[] {
  return [...Map.groupBy(disks, ({ domain }) => domain)].flatMap(([domain, own]) => {
    const needed = own.reduce((sum, disk) => sum + neededBytes(disk, blockBytes), 0);
    const { availableBytes } = domain;
    if (availableBytes === undefined || needed <= availableBytes) return [];
    return [`${domain.name} has ${availableBytes} bytes free, and this needs about ${needed}`];
  });
}

function neededBytes({ record, layout }: DesignedDisk, blockBytes: number): number {
  const { stats, disk } = record;
  if (!layout.sparse) return disk.logicalBytes;
  return layout.initialBytes ?? (stats.unchangedBlocks + stats.newBlocks + stats.knownBlocks) * blockBytes;
}
