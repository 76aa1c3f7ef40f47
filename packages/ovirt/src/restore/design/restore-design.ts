import { UsageError, type RestoreRequest } from "@ovault/contract";

import type { EngineApi } from "../../api/engine-api.ts";
import type { Capabilities } from "../../model/capabilities.ts";
import type { XmlElement } from "../../engine/xml-element.ts";
import type { Cluster } from "../../model/cluster.ts";
import type { StorageDomain } from "../../model/storage-domain.ts";
import type { Vm } from "../../model/vm.ts";
import { readOvf, type OvfDescription } from "../../ovf/read-ovf.ts";
import type { Belongings } from "../../machine/belongings.ts";
import { chooseCluster, chooseStorageDomain } from "./choose-place.ts";
import type { DesignedDisk } from "../disks/designed-disk.ts";
import type { DiskFiller } from "../fill/disk-filler.ts";
import { layOutAsFile, layOutDisk } from "../disks/disk-layout.ts";
import { assertMachineName, fittingAlias } from "../disks/engine-names.ts";
import { fitCluster } from "./fit-cluster.ts";
import { lostFirmware } from "./lost-firmware.ts";
import { mapNics, refuseUnknownNetworks, type MappedNic } from "./map-nics.ts";
import { Obstacles } from "./obstacles.ts";
import { roomForDisks } from "./room-for-disks.ts";
import { placeDisk, placesOf, quotaWarnings } from "./place-disk.ts";
import { refuseTakenMacs } from "./taken-macs.ts";
import { unknownProperties } from "./unknown-properties.ts";
import { savedBelongings, savedNics, savedOvf, savedSettings } from "../../machine/vm-documents.ts";

/** Everything a restore decides before it makes anything. */
export interface RestoreDesign {
  readonly ovf: string;
  /** Content of the OVF. */
  readonly original: OvfDescription;
  readonly cluster: Cluster;
  readonly disks: readonly DesignedDisk[];
  readonly nics: readonly MappedNic[];
  /** A `<vm>` with the point's settings; undefined: the point has none. */
  readonly settings: XmlElement | undefined;
  readonly belongings: Belongings;
  readonly warnings: readonly string[];
}

/** What a design depends on besides the point. */
export interface RestoreMeans {
  readonly capabilities: Capabilities;
  readonly filler: Pick<DiskFiller, "fillsCow" | "assertReach">;
  /** All disks go there, whatever the request says. It need not exist yet. */
  readonly place?: StorageDomain | undefined;
}

/**
 * Makes all decisions of a restore, and checks beforehand everything that would make the engine refuse it later. Reads
 * the engine, changes nothing. Dry runs and restores both begin with it.
 *
 * @throws UsageError naming all obstacles, with what to pass or to do
 */
export async function designRestore(
  api: EngineApi,
  { capabilities, filler, place }: RestoreMeans,
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<RestoreDesign> {
  const { point } = request;
  const ovf = savedOvf(point);
  const original = readOvf(ovf);
  const settings = savedSettings(point);
  const belongings = savedBelongings(point);
  const obstacles = new Obstacles();
  await obstacles.ofAsking(() => refuseName(api, request.name, signal));
  const cards = savedNics(point);
  refuseUnknownNetworks(cards, request.networks, obstacles);
  const [clusters, dataCenters] = await Promise.all([
    api.infrastructure.clusters(signal),
    api.infrastructure.dataCenters(signal),
  ]);
  const cluster = obstacles.of(() => chooseCluster(request, clusters));
  const checkMacs = async (): Promise<void> => {
    if (request.mac === "keep") refuseTakenMacs(cards, await vmsWithNics(api, capabilities, signal), obstacles);
  };
  if (cluster === undefined) {
    const domains = place === undefined ? await api.infrastructure.storageDomains(signal) : [];
    for (const { disk } of place === undefined ? request.disks : []) {
      obstacles.of(() => chooseStorageDomain(request.storageDomain, disk, domains, "on this manager"));
    }
    await checkMacs();
    return obstacles.fail();
  }
  const dataCenter = dataCenters.find(({ id }) => id === cluster.dataCenterId);
  const fit = obstacles.of(() => fitCluster(point.vm, original, { cluster, dataCenter })) ?? [];
  const [domains, places, networks, profiles] = await Promise.all([
    domainsOf(api, cluster, signal),
    placesOf(api, request.disks, cluster, signal),
    api.infrastructure.clusterNetworks(cluster.id, signal),
    api.infrastructure.vnicProfiles(signal),
  ]);
  const disks = request.disks.flatMap((record): readonly DesignedDisk[] => {
    const domain = place ?? obstacles.of(() => chooseStorageDomain(request.storageDomain, record.disk, domains));
    if (domain === undefined) return [];
    const wished = layOutDisk(record, point.blockBytes, domain);
    const layout = filler.fillsCow(capabilities) ? wished : layOutAsFile(wished, record, domain);
    return [{ record, domain, layout, placement: placeDisk(record, domain, places) }];
  });
  const properties = await unknownProperties(api, settings, cluster, signal);
  const room = roomForDisks(disks, point.blockBytes, obstacles);
  const nics = obstacles.of(() => mapNics(cards, request.networks, { networks, profiles })) ?? [];
  await checkMacs();
  if (disks.length > 0) await obstacles.ofAsking(async () => filler.assertReach?.(api, cluster, signal));
  obstacles.throwIfAny();
  const warnings = [
    ...fit,
    ...properties,
    ...layoutWarnings(disks),
    ...aliasWarnings(disks),
    ...room,
    ...quotaWarnings(dataCenter, disks),
    ...lostFirmware(original),
  ];
  return { ovf, original, cluster, disks, nics, settings, belongings, warnings };
}

/** The design for an engine that takes uploads only as the bytes of a disk's file. */
export function designAsFiles(design: RestoreDesign): RestoreDesign {
  const disks = design.disks.map(({ record, domain, layout, placement }) => ({
    record,
    domain,
    layout: layOutAsFile(layout, record, domain),
    placement,
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

/** @throws UsageError when the engine does not allow this name for a machine, or has a machine of this name */
async function refuseName(api: EngineApi, name: string, signal: AbortSignal): Promise<void> {
  assertMachineName(name);
  const sameName = await api.vms.byName(name, signal);
  if (sameName === undefined) return;
  throw new UsageError(`there is a virtual machine named ${name} already`, {
    context: { vm: sameName.id },
    hint: (field) => `Choose another name with ${field("as")}; a restore never replaces a virtual machine.`,
  });
}

function layoutWarnings(disks: readonly DesignedDisk[]): string[] {
  return disks.flatMap(({ layout }) => (layout.change === undefined ? [] : [layout.change]));
}

function aliasWarnings(disks: readonly DesignedDisk[]): string[] {
  return disks.flatMap(({ record: { disk } }) => {
    const alias = fittingAlias(disk.alias);
    return alias === disk.alias ? [] : [`the engine allows no disk to be called ${disk.alias}: it becomes ${alias}`];
  });
}
