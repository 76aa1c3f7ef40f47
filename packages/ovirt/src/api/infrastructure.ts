import { element, field } from "../engine/build-xml.ts";
import type { EngineCaller } from "../engine/engine-caller.ts";
import type { XmlElement } from "../engine/xml-element.ts";
import { parseAffinityGroup, type AffinityGroup } from "../model/affinity-group.ts";
import { parseCluster, type Cluster } from "../model/cluster.ts";
import { parseDataCenter, type DataCenter } from "../model/data-center.ts";
import { parseHostNic, type HostNic } from "../model/host-nic.ts";
import { parseHost, type Host } from "../model/host.ts";
import { parseNamed, type Named } from "../model/named.ts";
import { parseNetworkAttachment, type NetworkAttachment } from "../model/network-attachment.ts";
import { parseNetwork, type Network } from "../model/network.ts";
import { parseList } from "../model/parse-list.ts";
import { parseProductInfo, type ProductInfo } from "../model/product-info.ts";
import { parseStorageDomain, type StorageDomain } from "../model/storage-domain.ts";
import { parseTagName } from "../model/tag.ts";
import { parseTemplate, type Template } from "../model/template.ts";
import { parseUser, type EngineUser } from "../model/user.ts";
import { parseVmPool, type VmPool } from "../model/vm-pool.ts";
import { parseVnicProfile, type VnicProfile } from "../model/vnic-profile.ts";
import { path } from "./paths.ts";

/** Hosts, clusters, storage and networks. Lists contain what the user may see. */
export class InfrastructureService {
  readonly #engine: EngineCaller;

  constructor(engine: EngineCaller) {
    this.#engine = engine;
  }

  async productInfo(signal: AbortSignal): Promise<ProductInfo> {
    return parseProductInfo(await this.#engine.get("", { signal }));
  }

  hosts(signal: AbortSignal): Promise<readonly Host[]> {
    return this.#list("/hosts", "hosts", "host", parseHost, signal);
  }

  /** The host whose VDSM has this id in `/etc/vdsm/vdsm.id`. */
  async hostByHardwareId(hardwareId: string, signal: AbortSignal): Promise<Host | undefined> {
    const query = { search: `hw_id=${hardwareId}` };
    const hosts = parseList(await this.#engine.get("/hosts", { query, signal }), "hosts", "host", parseHost);
    return hosts[0];
  }

  hostNics(hostId: string, signal: AbortSignal): Promise<readonly HostNic[]> {
    return this.#list(path("hosts", hostId, "nics"), "host_nics", "host_nic", parseHostNic, signal);
  }

  networkAttachments(hostId: string, signal: AbortSignal): Promise<readonly NetworkAttachment[]> {
    const place = path("hosts", hostId, "networkattachments");
    return this.#list(place, "network_attachments", "network_attachment", parseNetworkAttachment, signal);
  }

  clusters(signal: AbortSignal): Promise<readonly Cluster[]> {
    return this.#list("/clusters", "clusters", "cluster", parseCluster, signal);
  }

  dataCenters(signal: AbortSignal): Promise<readonly DataCenter[]> {
    return this.#list("/datacenters", "data_centers", "data_center", parseDataCenter, signal);
  }

  /** Without `status` for domains that are attached to a data center; see `attachedStorageDomains`. */
  storageDomains(signal: AbortSignal): Promise<readonly StorageDomain[]> {
    return this.#list("/storagedomains", "storage_domains", "storage_domain", parseStorageDomain, signal);
  }

  /** With `status`. */
  attachedStorageDomains(dataCenterId: string, signal: AbortSignal): Promise<readonly StorageDomain[]> {
    const place = path("datacenters", dataCenterId, "storagedomains");
    return this.#list(place, "storage_domains", "storage_domain", parseStorageDomain, signal);
  }

  networks(signal: AbortSignal): Promise<readonly Network[]> {
    return this.#list("/networks", "networks", "network", parseNetwork, signal);
  }

  /** Networks that the hosts of the cluster have: a machine in it can use no other. */
  clusterNetworks(clusterId: string, signal: AbortSignal): Promise<readonly Network[]> {
    return this.#list(path("clusters", clusterId, "networks"), "networks", "network", parseNetwork, signal);
  }

  vnicProfiles(signal: AbortSignal): Promise<readonly VnicProfile[]> {
    return this.#list("/vnicprofiles", "vnic_profiles", "vnic_profile", parseVnicProfile, signal);
  }

  templates(signal: AbortSignal): Promise<readonly Template[]> {
    return this.#list("/templates", "templates", "template", parseTemplate, signal);
  }

  /** Names of all tags. */
  tags(signal: AbortSignal): Promise<readonly string[]> {
    return this.#list("/tags", "tags", "tag", parseTagName, signal);
  }

  async createTag(name: string, signal: AbortSignal): Promise<void> {
    await this.#engine.post("/tags", element("tag", {}, field("name", name)), { signal });
  }

  /** One of the engine's own settings, at a compatibility version (4.3). @throws EntityNotFoundError */
  async option(name: string, version: string, signal: AbortSignal): Promise<string> {
    const root = await this.#engine.get(path("options", name), { query: { version }, signal });
    return root.require("system_option").value("values", "system_option_value", "value") ?? "";
  }

  roles(signal: AbortSignal): Promise<readonly Named[]> {
    return this.#list("/roles", "roles", "role", (role) => parseNamed(role, "role"), signal);
  }

  groups(signal: AbortSignal): Promise<readonly Named[]> {
    return this.#list("/groups", "groups", "group", (group) => parseNamed(group, "group"), signal);
  }

  affinityLabels(signal: AbortSignal): Promise<readonly Named[]> {
    const item = "affinity_label";
    return this.#list("/affinitylabels", "affinity_labels", item, (label) => parseNamed(label, item), signal);
  }

  async labelVm(labelId: string, vmId: string, signal: AbortSignal): Promise<void> {
    await this.#engine.post(path("affinitylabels", labelId, "vms"), element("vm", { id: vmId }), { signal });
  }

  affinityGroups(clusterId: string, signal: AbortSignal): Promise<readonly AffinityGroup[]> {
    const place = path("clusters", clusterId, "affinitygroups");
    return this.#list(place, "affinity_groups", "affinity_group", parseAffinityGroup, signal);
  }

  async addToAffinityGroup(
    { clusterId, groupId, vmId }: { readonly clusterId: string; readonly groupId: string; readonly vmId: string },
    signal: AbortSignal,
  ): Promise<void> {
    const place = path("clusters", clusterId, "affinitygroups", groupId, "vms");
    await this.#engine.post(place, element("vm", { id: vmId }), { signal });
  }

  diskProfiles(signal: AbortSignal): Promise<readonly Named[]> {
    return this.#list(
      "/diskprofiles",
      "disk_profiles",
      "disk_profile",
      (one) => parseNamed(one, "disk_profile"),
      signal,
    );
  }

  quotas(dataCenterId: string, signal: AbortSignal): Promise<readonly Named[]> {
    const place = path("datacenters", dataCenterId, "quotas");
    return this.#list(place, "quotas", "quota", (quota) => parseNamed(quota, "quota"), signal);
  }

  vmPools(signal: AbortSignal): Promise<readonly VmPool[]> {
    return this.#list("/vmpools", "vm_pools", "vm_pool", parseVmPool, signal);
  }

  users(signal: AbortSignal): Promise<readonly EngineUser[]> {
    return this.#list("/users", "users", "user", parseUser, signal);
  }

  async #list<T>(
    place: string,
    collection: string,
    item: string,
    parse: (element: XmlElement) => T,
    signal: AbortSignal,
  ): Promise<readonly T[]> {
    return parseList(await this.#engine.get(place, { signal }), collection, item, parse);
  }
}
