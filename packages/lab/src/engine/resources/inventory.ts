import { notFound } from "../engine-fault.ts";
import type { EngineApi } from "../engine-api.ts";
import type { EngineCore } from "../engine-core.ts";
import { actionsOf, linksBelow, ok, reference, versionContent, type ApiReply } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { get, type Route } from "../http/router.ts";
import { searched } from "../http/search.ts";
import type { XmlObject } from "../xml/xml-value.ts";

/** A kind of entity that never changes: collection and element names, and all there are. */
interface Catalogue {
  readonly path: string;
  readonly root: string;
  readonly element: string;
  readonly entities: readonly CatalogueEntry[];
}

interface CatalogueEntry {
  readonly id: string;
  readonly name: string;
  readonly content: XmlObject;
  /** What searches may ask besides id and name. */
  readonly fields?: Readonly<Record<string, string>>;
}

const BLANK = "00000000-0000-0000-0000-000000000000";
const ADDRESS = "127.0.0.1";
/** The engine's own default. */
const CRITICAL_GIB = 5;

/** Data centres, clusters, hosts, storage domains, networks, profiles, templates: all that is given. */
export function inventoryRoutes({ core }: EngineApi): readonly Route[] {
  const { dataCenter, cluster, storageDomain } = core.state.inventory;
  const catalogues = [
    dataCenters(core),
    clusters(core),
    hosts(core),
    storageDomains(core),
    networks(core),
    vnicProfiles(core),
    templates(core),
  ];
  const attachedDomains: Catalogue = {
    ...storageDomains(core),
    path: `/datacenters/${dataCenter.id}/storagedomains`,
    entities: [attachedDomain(core)],
  };
  return [
    ...[...catalogues, attachedDomains].flatMap(catalogueRoutes),
    ...catalogueRoutes({ ...networks(core), path: `/clusters/${cluster.id}/networks` }),
    ...catalogueRoutes({ ...networks(core), path: `/datacenters/${dataCenter.id}/networks` }),
    ...catalogueRoutes({ ...clusters(core), path: `/datacenters/${dataCenter.id}/clusters` }),
    get("/networks/:network/vnicprofiles", (request) => {
      const entities = vnicProfiles(core).entities.filter(
        ({ fields }) => fields?.["network"] === request.param("network"),
      );
      return list({ ...vnicProfiles(core), entities }, request);
    }),
    get(`/storagedomains/${storageDomain.id}/disksnapshots`, () => diskSnapshots(core)),
    get(`/storagedomains/${storageDomain.id}/disksnapshots/:volume`, (request) => {
      const content = diskSnapshotContents(core).find((candidate) => candidate["@id"] === request.param("volume"));
      if (content === undefined) throw notFound();
      return ok("disk_snapshot", content);
    }),
  ];
}

function catalogueRoutes(catalogue: Catalogue): readonly Route[] {
  return [
    get(catalogue.path, (request) => list(catalogue, request)),
    get(`${catalogue.path}/:id`, (request) => {
      const entity = catalogue.entities.find(({ id }) => id === request.param("id"));
      if (entity === undefined) throw notFound();
      return ok(catalogue.element, entity.content);
    }),
  ];
}

function list({ root, element, entities }: Catalogue, request: ApiRequest): ApiReply {
  const found = searched(request, entities, ({ id, name, fields }) => ({ id, name, ...fields }));
  return ok(root, { [element]: found.map(({ content }) => content) });
}

function dataCenters({ state, behaviour }: EngineCore): Catalogue {
  const { dataCenter, storageDomain } = state.inventory;
  const content = {
    ...reference("/datacenters", dataCenter.id),
    name: dataCenter.name,
    description: "The default Data Center",
    ...linksBelow(`/datacenters/${dataCenter.id}`, "networks", "storagedomains", "clusters"),
    local: false,
    quota_mode: "disabled",
    status: "up",
    storage_format: "v5",
    supported_versions: { version: versionContent(behaviour.compatibility) },
    version: versionContent(behaviour.compatibility),
  };
  const fields = { status: "up", "storage.name": storageDomain.name };
  return {
    path: "/datacenters",
    root: "data_centers",
    element: "data_center",
    entities: [{ ...dataCenter, content, fields }],
  };
}

function clusters({ state, behaviour }: EngineCore): Catalogue {
  const { cluster, dataCenter } = state.inventory;
  const content = {
    ...reference("/clusters", cluster.id),
    name: cluster.name,
    description: "The default server cluster",
    comment: "",
    ...linksBelow(`/clusters/${cluster.id}`, "networks"),
    cpu: { architecture: "x86_64", type: "Intel Nehalem Family" },
    version: versionContent(behaviour.compatibility),
    virt_service: true,
    data_center: reference("/datacenters", dataCenter.id),
  };
  const fields = { datacenter: dataCenter.name };
  return { path: "/clusters", root: "clusters", element: "cluster", entities: [{ ...cluster, content, fields }] };
}

function hosts({ state }: EngineCore): Catalogue {
  const { host, cluster, dataCenter } = state.inventory;
  const content = {
    ...reference("/hosts", host.id),
    ...actionsOf(`/hosts/${host.id}`, "activate", "deactivate"),
    name: host.name,
    comment: "",
    address: ADDRESS,
    hardware_information: { uuid: host.id },
    spm: { priority: 5, status: "spm" },
    ssh: { port: 22 },
    status: "up",
    type: "rhel",
    cluster: reference("/clusters", cluster.id),
  };
  const fields = { status: "up", address: ADDRESS, cluster: cluster.name, datacenter: dataCenter.name, hw_id: host.id };
  return { path: "/hosts", root: "hosts", element: "host", entities: [{ ...host, content, fields }] };
}

function storageDomains({ state, faults }: EngineCore): Catalogue {
  const { storageDomain, dataCenter } = state.inventory;
  const content = {
    ...reference("/storagedomains", storageDomain.id),
    name: storageDomain.name,
    description: "",
    comment: "",
    ...linksBelow(`/storagedomains/${storageDomain.id}`, "disks", "disksnapshots"),
    get available(): number {
      return faults.mode("low-space") === "off" ? 1024 ** 4 : CRITICAL_GIB * 1024 ** 3 + 1024 ** 2;
    },
    backup: false,
    block_size: 512,
    committed: 0,
    critical_space_action_blocker: CRITICAL_GIB,
    discard_after_delete: false,
    external_status: "ok",
    master: true,
    storage: { address: ADDRESS, nfs_version: "auto", path: "/lab", type: "nfs" },
    storage_format: "v5",
    supports_discard: false,
    type: "data",
    used: 0,
    wipe_after_delete: false,
    data_centers: { data_center: reference("/datacenters", dataCenter.id) },
  };
  const fields = { datacenter: dataCenter.name, type: "data" };
  return {
    path: "/storagedomains",
    root: "storage_domains",
    element: "storage_domain",
    entities: [{ ...storageDomain, content, fields }],
  };
}

/** Only here, below its data centre, an attached domain shows a status. */
function attachedDomain(core: EngineCore): CatalogueEntry {
  const { storageDomain, dataCenter } = core.state.inventory;
  const path = `/datacenters/${dataCenter.id}/storagedomains`;
  const content = storageDomains(core).entities[0]?.content;
  return {
    ...storageDomain,
    content: {
      ...content,
      ...reference(path, storageDomain.id),
      status: "active",
      data_center: reference("/datacenters", dataCenter.id),
    },
  };
}

function networks({ state }: EngineCore): Catalogue {
  const { networks: all, dataCenter } = state.inventory;
  const entities = all.map(({ id, name }) => ({
    id,
    name,
    content: {
      ...reference("/networks", id),
      name,
      description: "",
      comment: "",
      ...linksBelow(`/networks/${id}`, "vnicprofiles"),
      mtu: 0,
      stp: false,
      usages: { usage: ["vm"] },
      data_center: reference("/datacenters", dataCenter.id),
    },
    fields: { datacenter: dataCenter.name },
  }));
  return { path: "/networks", root: "networks", element: "network", entities };
}

function vnicProfiles({ state }: EngineCore): Catalogue {
  const entities = state.inventory.vnicProfiles.map(({ id, name, networkId }) => ({
    id,
    name,
    content: {
      ...reference("/vnicprofiles", id),
      name,
      pass_through: { mode: "disabled" },
      port_mirroring: false,
      network: reference("/networks", networkId),
    },
    fields: { network: networkId },
  }));
  return { path: "/vnicprofiles", root: "vnic_profiles", element: "vnic_profile", entities };
}

function templates(_core: EngineCore): Catalogue {
  const content = {
    ...reference("/templates", BLANK),
    name: "Blank",
    description: "Blank template",
    comment: "",
    status: "ok",
    version: { version_name: "base version", version_number: 1 },
  };
  return {
    path: "/templates",
    root: "templates",
    element: "template",
    entities: [{ id: BLANK, name: "Blank", content }],
  };
}

function diskSnapshots(core: EngineCore): ApiReply {
  return ok("disk_snapshots", { disk_snapshot: diskSnapshotContents(core) });
}

/** Volumes frozen by snapshots; the id of a disk snapshot is the id of its volume. */
function diskSnapshotContents({ state, behaviour }: EngineCore): readonly XmlObject[] {
  const path = `/storagedomains/${state.inventory.storageDomain.id}/disksnapshots`;
  return Object.values(state.vms).flatMap((vm) =>
    vm.snapshots.flatMap((snapshot, index) =>
      snapshot.volumes.map(({ diskId, volumeId }) => {
        const parent = vm.snapshots
          .slice(0, index)
          .flatMap(({ volumes }) => volumes)
          .findLast((volume) => volume.diskId === diskId);
        return {
          ...reference(path, volumeId),
          alias: state.disks[diskId]?.alias,
          image_id: volumeId,
          status: state.disks[diskId]?.status,
          provisioned_size: state.disks[diskId]?.provisionedBytes,
          disk: reference("/disks", diskId),
          snapshot: reference(`/vms/${vm.id}/snapshots`, snapshot.id),
          parent: parent === undefined || !behaviour.shallow ? undefined : reference(path, parent.volumeId),
        };
      }),
    ),
  );
}
