import { randomUUID } from "node:crypto";

import { NotFoundError } from "@ovault/contract";

import type { LabHostRequest } from "../hosts/host-request.ts";
import { incomplete, unknownEntity } from "./engine-fault.ts";
import type { Cluster, Inventory, Named, StorageDomain, StorageType } from "./engine-state.ts";
import type { XmlNode } from "./xml/read-xml.ts";

/** Additions to the inventory of every lab. A named data centre is made if missing. */
export interface LabInventoryRequest {
  readonly clusters?: readonly InDataCenter[] | undefined;
  readonly storageDomains?: readonly StorageDomainRequest[] | undefined;
  /** Each gets a vNIC profile of the same name, as in an engine. */
  readonly networks?: readonly InDataCenter[] | undefined;
  readonly vnicProfiles?: readonly (InDataCenter & { readonly network: string })[] | undefined;
  /** Each cluster without one gets a host besides. */
  readonly hosts?: readonly LabHostRequest[] | undefined;
}

export interface InDataCenter {
  readonly name: string;
  /** Default: `Default`. */
  readonly dataCenter?: string | undefined;
}

export interface StorageDomainRequest extends InDataCenter {
  /** Default: `nfs`. */
  readonly storageType?: StorageType | undefined;
}

type InCenter = Cluster & Pick<StorageDomain, "storageType">;

export const BLANK_ID = "00000000-0000-0000-0000-000000000000";
export const blankTemplate: Named = { id: BLANK_ID, name: "Blank" };
const DEFAULT = "Default";
const MANAGEMENT = "ovirtmgmt";
const FIRST_HOST = "lab-host";

/** One data centre with one cluster, one host, one storage domain and two networks. */
export function firstInventory(): Inventory {
  const inventory: Inventory = {
    dataCenters: [],
    clusters: [],
    hosts: [],
    storageDomains: [],
    networks: [],
    vnicProfiles: [],
  };
  extendInventory(inventory, {
    clusters: [{ name: DEFAULT }],
    storageDomains: [{ name: "lab-storage" }],
    networks: [{ name: "lab-network" }],
  });
  return inventory;
}

/** Makes the requested entities that are missing. */
export function extendInventory(inventory: Inventory, request: LabInventoryRequest): void {
  const { clusters = [], storageDomains = [], networks = [], vnicProfiles = [], hosts = [] } = request;
  const addMissing = (all: InCenter[], wanted: readonly StorageDomainRequest[]): void => {
    for (const { name, dataCenter = DEFAULT, storageType } of wanted) {
      const dataCenterId = dataCenterNamed(inventory, dataCenter).id;
      if (!all.some((one) => one.name === name && one.dataCenterId === dataCenterId)) {
        all.push({ id: randomUUID(), name, dataCenterId, ...(storageType !== undefined && { storageType }) });
      }
    }
  };
  addMissing(inventory.clusters, clusters);
  addMissing(inventory.storageDomains, storageDomains);
  addMissing(inventory.networks, networks);
  for (const { id, name } of inventory.networks) addProfile(inventory, name, id);
  for (const { name, network, dataCenter = DEFAULT } of vnicProfiles) {
    const dataCenterId = dataCenterNamed(inventory, dataCenter).id;
    const found = inventory.networks.find((one) => one.name === network && one.dataCenterId === dataCenterId);
    if (found === undefined) throw new NotFoundError(`there is no network ${network} in data centre ${dataCenter}`);
    addProfile(inventory, name, found.id);
  }
  for (const { id, name } of inventory.clusters) {
    if (inventory.hosts.some(({ clusterId }) => clusterId === id)) continue;
    addHost(inventory, inventory.hosts.length === 0 ? FIRST_HOST : `${name}-host`, id);
  }
  for (const { name, cluster } of hosts) {
    if (inventory.hosts.some((host) => host.name === name)) continue;
    addHost(inventory, name, clusterNamed(inventory, cluster).id);
  }
}

/** Default: the first one. @throws NotFoundError */
export function clusterNamed({ clusters }: Inventory, name = clusters[0]?.name): Cluster {
  const found = clusters.find((cluster) => cluster.name === name);
  if (found === undefined) throw new NotFoundError(`the lab has no cluster ${name}`);
  return found;
}

/** Default: the first one of the data centre. @throws NotFoundError */
export function storageDomainNamed(inventory: Inventory, dataCenterId: string, name?: string): StorageDomain {
  const here = inventory.storageDomains.filter((domain) => domain.dataCenterId === dataCenterId);
  const found = name === undefined ? here[0] : here.find((domain) => domain.name === name);
  if (found === undefined)
    throw new NotFoundError(`the data centre has no storage domain${name === undefined ? "" : ` ${name}`}`);
  return found;
}

/** Volumes on block storage are logical volumes. */
export function isBlock({ storageType = "nfs" }: StorageDomain): boolean {
  return storageType === "iscsi" || storageType === "fcp";
}

/** The data centre of a cluster. */
export function dataCenterOf(inventory: Inventory, clusterId: string): Named {
  return known(inventory.dataCenters, known(inventory.clusters, clusterId).dataCenterId);
}

/** @throws NotFoundError for an id that is missing in the lab's own inventory */
export function known<T extends Named>(all: readonly T[], wanted: string): T {
  const found = all.find(({ id }) => id === wanted);
  if (found === undefined) throw new NotFoundError(`the lab has nothing of id ${wanted}`);
  return found;
}

/**
 * Resolves an element such as `<cluster id="…"/>` or `<cluster><name>…</name></cluster>`.
 * @param root - the element that needs it, in the engine's words
 * @throws EngineFault 404 when the named entity does not exist, 400 when the element is missing
 */
export function findNamed<T extends Named>(all: readonly T[], root: string, body: XmlNode, element: string): T {
  const [id, name] = [body.child(element)?.attribute("id"), body.text(element, "name")];
  if (id === undefined && name === undefined) throw incomplete(root, `${element}.id|name`);
  const found = all.find((candidate) => (id === undefined ? candidate.name === name : candidate.id === id));
  if (found === undefined) throw unknownEntity(`${element}: ${id === undefined ? `name=${name}` : `id=${id}`}`);
  return found;
}

/** Every data centre has its own management network, always of the same name. */
function dataCenterNamed(inventory: Inventory, name: string): Named {
  const found = inventory.dataCenters.find((dataCenter) => dataCenter.name === name);
  if (found !== undefined) return found;
  const made = { id: randomUUID(), name };
  inventory.dataCenters.push(made);
  inventory.networks.push({ id: randomUUID(), name: MANAGEMENT, dataCenterId: made.id });
  return made;
}

function addProfile({ vnicProfiles }: Inventory, name: string, networkId: string): void {
  if (vnicProfiles.some((profile) => profile.name === name && profile.networkId === networkId)) return;
  vnicProfiles.push({ id: randomUUID(), name, networkId });
}

function addHost({ hosts }: Inventory, name: string, clusterId: string): void {
  hosts.push({ id: randomUUID(), name, clusterId });
}
