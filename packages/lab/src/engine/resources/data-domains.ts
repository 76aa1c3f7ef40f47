import type { EngineApi } from "../engine-api.ts";
import { incomplete } from "../engine-fault.ts";
import type { DataDomainState, Inventory } from "../engine-state.ts";
import { created, type ApiReply } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { findNamed } from "../inventory.ts";
import type { XmlObject } from "../xml/xml-value.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { nfsDomainEntry } from "./nfs-domain-entry.ts";

const STORAGE_FORMATS = ["v3", "v4", "v5"] as const;

/** `POST /storagedomains` for a data domain. */
export async function addDataDomain({ core, dataDomains }: EngineApi, { body }: ApiRequest): Promise<ApiReply> {
  const { inventory } = core.state;
  findNamed(inventory.hosts, "StorageDomain", body, "host");
  const [name, address, path] = [body.text("name"), body.text("storage", "address"), body.text("storage", "path")];
  if (body.text("storage", "type") !== "nfs" || name === undefined || address === undefined || path === undefined) {
    throw incomplete("StorageDomain", "name", "storage.type", "storage.address", "storage.path");
  }
  const [mountOptions, nfsVersion] = [body.text("storage", "mount_options"), body.text("storage", "nfs_version")];
  const made = await dataDomains.create({
    name,
    address,
    path,
    ...(mountOptions !== undefined && { mountOptions }),
    ...(nfsVersion !== undefined && { nfsVersion }),
    format: body.choice(STORAGE_FORMATS, "storage_format"),
  });
  return created("storage_domain", dataDomainEntry(made, inventory).content);
}

/** What a data domain shows of its connection (recorded: storagedomain-detail of 4.2.1). */
export function dataDomainStorage({ address, mountOptions, nfsVersion = "auto", path }: DataDomainState): XmlObject {
  return { address, mount_options: mountOptions, nfs_version: nfsVersion, path, type: "nfs" };
}

/** An unattached data domain among the storage domains: only then it shows its status there. */
export function dataDomainEntry(domain: DataDomainState, inventory: Inventory): CatalogueEntry {
  const { dataCenterId, format, status } = domain;
  const own = {
    description: "",
    comment: "",
    backup: false,
    status: dataCenterId === undefined ? status : undefined,
    storage: dataDomainStorage(domain),
    storage_format: format,
  };
  return nfsDomainEntry({ ...domain, type: "data", links: ["disks", "vms"], own }, inventory);
}
