import { notFound } from "../engine-fault.ts";
import type { EngineApi } from "../engine-api.ts";
import type { EngineCore } from "../engine-core.ts";
import type { DataDomainState, StorageDomain, VmState } from "../engine-state.ts";
import { linksBelow, ok, reference, versionContent, type ApiReply } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { get, type Route } from "../http/router.ts";
import { searched } from "../http/search.ts";
import { blankTemplate, isBlock, known } from "../inventory.ts";
import { templateOf } from "../templates.ts";
import type { EngineBehaviour } from "../versions.ts";
import type { XmlObject } from "../xml/xml-value.ts";
import { nameOfCenter, namesIn, type Catalogue, type CatalogueEntry } from "./catalogue.ts";
import { dataDomainEntry, dataDomainStorage } from "./data-domains.ts";
import { exportDomainEntry } from "./export-domains.ts";
import { hosts } from "./hosts.ts";

const ADDRESS = "127.0.0.1";
const noComment = { description: "", comment: "" } as const;
/** The engine's own default. */
const CRITICAL_GIB = 5;

/** The fixed entities: data centres, clusters, hosts, storage domains, networks, profiles, templates. */
export function inventoryRoutes({ core }: EngineApi): readonly Route[] {
  const { dataCenters: centers, clusters: allClusters } = core.state.inventory;
  const catalogues = [dataCenters, clusters, hosts, storageDomains, networks, vnicProfiles, templates];
  return [
    ...catalogues.flatMap((of) => catalogueRoutes(of(core).path, () => of(core))),
    ...centers.flatMap(({ id }) => [
      ...catalogueRoutes(`/datacenters/${id}/storagedomains`, () => attachedDomains(core, id)),
      ...catalogueRoutes(`/datacenters/${id}/networks`, () => ownedBy(id, networks(core))),
      ...catalogueRoutes(`/datacenters/${id}/clusters`, () => ownedBy(id, clusters(core))),
    ]),
    ...allClusters.flatMap(({ id, dataCenterId }) =>
      catalogueRoutes(`/clusters/${id}/networks`, () => ownedBy(dataCenterId, networks(core))),
    ),
    get("/networks/:network/vnicprofiles", (request) =>
      list(ownedBy(request.param("network"), vnicProfiles(core)), request),
    ),
  ];
}

function catalogueRoutes(path: string, of: () => Catalogue): readonly Route[] {
  return [
    get(path, (request) => list(of(), request)),
    get(`${path}/:id`, (request) => {
      const catalogue = of();
      const entity = catalogue.entities.find(({ id }) => id === request.param("id"));
      if (entity === undefined) throw notFound();
      return ok(catalogue.element, entity.content);
    }),
  ];
}

function ownedBy(owner: string, catalogue: Catalogue): Catalogue {
  return { ...catalogue, entities: catalogue.entities.filter(({ ownerId }) => ownerId === owner) };
}

function list({ root, element, entities, unplayed }: Catalogue, request: ApiRequest): ApiReply {
  const names = Object.keys(entities[0]?.fields ?? {});
  const own = names.map((name) => [name, (entry: CatalogueEntry) => entry.fields[name] ?? ""] as const);
  const fields = { name: ({ name }: CatalogueEntry) => name, ...Object.fromEntries(own) };
  const found = searched(request, entities, { fields, unplayed });
  return ok(root, { [element]: found.map(({ content }) => content) });
}

function dataCenters({ state, behaviour }: EngineCore): Catalogue {
  const { inventory } = state;
  const entities = inventory.dataCenters.map(({ id, name }) => ({
    id,
    name,
    content: {
      ...reference("/datacenters", id),
      name,
      description: "The default Data Center",
      ...linksBelow(`/datacenters/${id}`, "networks", "storagedomains", "clusters"),
      local: false,
      quota_mode: "disabled",
      status: "up",
      storage_format: behaviour.storageFormat,
      supported_versions: { version: versionContent(behaviour.compatibility) },
      version: versionContent(behaviour.compatibility),
    },
    fields: {
      status: "up",
      description: "The default Data Center",
      local: false,
      compatibility_version: compatibilityOf(behaviour),
      "storage.name": namesIn(inventory.storageDomains, id),
      "cluster.name": namesIn(inventory.clusters, id),
      "network.name": namesIn(inventory.networks, id),
    },
  }));
  return {
    path: "/datacenters",
    root: "data_centers",
    element: "data_center",
    entities,
    unplayed: ["cluster.", "comment", "network.", "storage."],
  };
}

function clusters({ state, behaviour }: EngineCore): Catalogue {
  const entities = state.inventory.clusters.map(({ id, name, dataCenterId }) => ({
    id,
    name,
    content: {
      ...reference("/clusters", id),
      name,
      description: "The default server cluster",
      comment: "",
      ...linksBelow(`/clusters/${id}`, "networks"),
      cpu: { architecture: "x86_64", type: "Intel Nehalem Family" },
      version: versionContent(behaviour.compatibility),
      virt_service: true,
      data_center: reference("/datacenters", dataCenterId),
    },
    fields: {
      description: "The default server cluster",
      comment: "",
      architecture: "x86_64",
      compatibility_level: compatibilityOf(behaviour),
      datacenter: nameOfCenter(state.inventory, dataCenterId),
      "datacenter.name": nameOfCenter(state.inventory, dataCenterId),
      "storage.name": namesIn(state.inventory.storageDomains, dataCenterId),
    },
    ownerId: dataCenterId,
  }));
  const unplayed = ["cluster_network.", "cpu_type", "datacenter.", "storage."];
  return { path: "/clusters", root: "clusters", element: "cluster", entities, unplayed };
}

function storageDomains({ state, faults, behaviour }: EngineCore): Catalogue {
  const isMaster = ({ id, dataCenterId }: StorageDomain): boolean =>
    state.inventory.storageDomains.find((domain) => domain.dataCenterId === dataCenterId)?.id === id;
  const external = (id: string): DataDomainState | undefined => state.dataDomains.find((one) => one.id === id);
  const entities = state.inventory.storageDomains.map((domain) => ({
    id: domain.id,
    name: domain.name,
    content: {
      ...reference("/storagedomains", domain.id),
      name: domain.name,
      description: "",
      comment: "",
      ...linksBelow(`/storagedomains/${domain.id}`, "disks", "disksnapshots"),
      get available(): number {
        return faults.mode("low-space") === "off" ? 1024 ** 4 : CRITICAL_GIB * 1024 ** 3 + 1024 ** 2;
      },
      backup: false,
      block_size: 512,
      committed: 0,
      critical_space_action_blocker: CRITICAL_GIB,
      discard_after_delete: false,
      external_status: "ok",
      master: isMaster(domain),
      storage: storageContent(domain, external(domain.id)),
      storage_format: external(domain.id)?.format ?? behaviour.storageFormat,
      supports_discard: false,
      type: "data",
      used: 0,
      wipe_after_delete: false,
      data_centers: { data_center: reference("/datacenters", domain.dataCenterId) },
    },
    fields: {
      datacenter: nameOfCenter(state.inventory, domain.dataCenterId),
      type: "data",
      status: external(domain.id)?.status ?? "active",
      ...noComment,
    },
    ownerId: domain.dataCenterId,
  }));
  const unplayed = [
    "backup",
    "cluster.",
    "committed",
    "discard_after_delete",
    "external_status",
    "free_size",
    "host.",
    "shared_status",
    "total_size",
    "used_size",
    "wipe_after_delete",
  ];
  const unattached = state.dataDomains.filter(({ dataCenterId }) => dataCenterId === undefined);
  const all = [
    ...entities,
    ...unattached.map((domain) => dataDomainEntry(domain, state.inventory)),
    ...state.exportDomains.map((domain) => exportDomainEntry(domain, state.inventory)),
  ];
  return { path: "/storagedomains", root: "storage_domains", element: "storage_domain", entities: all, unplayed };
}

/** Block storage shows its volume group and LUNs in place of a path. */
function storageContent(domain: StorageDomain, external: DataDomainState | undefined): XmlObject {
  if (external !== undefined) return dataDomainStorage(external);
  const { id, storageType: type = "nfs" } = domain;
  if (isBlock(domain)) return { type, volume_group: { "@id": id } };
  return { address: ADDRESS, nfs_version: type === "nfs" ? "auto" : undefined, path: "/lab", type };
}

/** Domains below their data centre, the only place where they show a status. */
function attachedDomains(core: EngineCore, dataCenterId: string): Catalogue {
  const owned = ownedBy(dataCenterId, storageDomains(core));
  const entities = owned.entities.map((entry) => ({
    ...entry,
    content: {
      ...entry.content,
      ...reference(`/datacenters/${dataCenterId}/storagedomains`, entry.id),
      status: entry.content["status"] ?? entry.fields["status"] ?? "active",
      data_center: reference("/datacenters", dataCenterId),
    },
  }));
  return { ...owned, entities };
}

function networks({ state }: EngineCore): Catalogue {
  const entities = state.inventory.networks.map(({ id, name, dataCenterId }) => ({
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
      data_center: reference("/datacenters", dataCenterId),
    },
    fields: {
      datacenter: nameOfCenter(state.inventory, dataCenterId),
      mtu: 0,
      stp: false,
      vmnetwork: true,
      ...noComment,
    },
    ownerId: dataCenterId,
  }));
  const unplayed = ["cluster_network.", "host_network.", "label", "provider.", "provider_name", "qos_name", "vlanid"];
  return { path: "/networks", root: "networks", element: "network", entities, unplayed };
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
    fields: { network_name: known(state.inventory.networks, networkId).name },
    ownerId: networkId,
  }));
  const unplayed = ["compatibility_version", "datacenter", "description", "passthrough", "port_mirroring", "qos_name"];
  return { path: "/vnicprofiles", root: "vnic_profiles", element: "vnic_profile", entities, unplayed };
}

function templates({ state }: EngineCore): Catalogue {
  const entities = [{ ...blankTemplate, description: "Blank template" }, ...state.templates].map((template) => {
    const { id, name } = template;
    const description = "description" in template ? template.description : "";
    const vms = (): readonly VmState[] => Object.values(state.vms).filter((vm) => templateOf(state, vm).id === id);
    const version = { version_name: "base version", version_number: 1 };
    return {
      id,
      name,
      content: { ...reference("/templates", id), name, description, comment: "", status: "ok", version },
      fields: {
        description,
        comment: "",
        status: "ok",
        get "vm.id"(): readonly string[] {
          return vms().map((vm) => vm.id);
        },
        get "vm.name"(): readonly string[] {
          return vms().map((vm) => vm.name);
        },
      },
    };
  });
  const unplayed = [
    "architecture",
    "childcount",
    "cluster",
    "creationdate",
    "datacenter",
    "event.",
    "host.",
    "mem",
    "os",
    "quota",
    "sealed",
    "storage.",
    "tag",
    "user.",
    "version_name",
    "vm.",
    "vnic.",
  ];
  return {
    path: "/templates",
    root: "templates",
    element: "template",
    entities,
    unplayed,
  };
}

function compatibilityOf({ compatibility }: EngineBehaviour): string {
  return `${compatibility.major}.${compatibility.minor}`;
}
