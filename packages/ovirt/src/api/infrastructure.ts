import type { EngineCaller } from "../engine/engine-caller.ts";
import type { XmlElement } from "../engine/xml-element.ts";
import { parseCluster } from "../model/cluster.ts";
import type { Cluster } from "../model/cluster.ts";
import { parseDataCenter } from "../model/data-center.ts";
import type { DataCenter } from "../model/data-center.ts";
import { parseHostNic } from "../model/host-nic.ts";
import type { HostNic } from "../model/host-nic.ts";
import { parseHost } from "../model/host.ts";
import type { Host } from "../model/host.ts";
import { parseNetworkAttachment } from "../model/network-attachment.ts";
import type { NetworkAttachment } from "../model/network-attachment.ts";
import { parseNetwork } from "../model/network.ts";
import type { Network } from "../model/network.ts";
import { parseList } from "../model/parse-list.ts";
import { parseProductInfo } from "../model/product-info.ts";
import type { ProductInfo } from "../model/product-info.ts";
import { parseStorageDomain } from "../model/storage-domain.ts";
import type { StorageDomain } from "../model/storage-domain.ts";
import { parseTemplate } from "../model/template.ts";
import type { Template } from "../model/template.ts";
import { parseUser } from "../model/user.ts";
import type { EngineUser } from "../model/user.ts";
import { parseVmPool } from "../model/vm-pool.ts";
import type { VmPool } from "../model/vm-pool.ts";
import { parseVnicProfile } from "../model/vnic-profile.ts";
import type { VnicProfile } from "../model/vnic-profile.ts";
import { path } from "./paths.ts";

/** What virtual machines stand on. Lists show what the user may see. */
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

  vnicProfiles(signal: AbortSignal): Promise<readonly VnicProfile[]> {
    return this.#list("/vnicprofiles", "vnic_profiles", "vnic_profile", parseVnicProfile, signal);
  }

  templates(signal: AbortSignal): Promise<readonly Template[]> {
    return this.#list("/templates", "templates", "template", parseTemplate, signal);
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
