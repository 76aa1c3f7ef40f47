import type { Inventory } from "../engine-state.ts";
import { linksBelow, reference } from "../http/api-reply.ts";
import type { XmlObject } from "../xml/xml-value.ts";
import { nameOfCenter, type CatalogueEntry } from "./catalogue.ts";

const FREE_BYTES = 1024 ** 4;

export interface NfsDomainEntry {
  readonly id: string;
  readonly name: string;
  /** The data center it is attached to. */
  readonly dataCenterId?: string | undefined;
  readonly status: string;
  readonly type: "data" | "export";
  readonly links: readonly string[];
  /** What it shows beside what every domain does. */
  readonly own: XmlObject;
}

/** A domain on an NFS export among the storage domains. */
export function nfsDomainEntry(
  { id, name, dataCenterId, status, type, links, own }: NfsDomainEntry,
  inventory: Inventory,
): CatalogueEntry {
  return {
    id,
    name,
    content: {
      ...reference("/storagedomains", id),
      name,
      ...linksBelow(`/storagedomains/${id}`, ...links),
      available: FREE_BYTES,
      committed: 0,
      external_status: "ok",
      master: false,
      type,
      used: 0,
      data_centers: dataCenterId === undefined ? undefined : { data_center: reference("/datacenters", dataCenterId) },
      ...own,
    },
    fields: {
      datacenter: dataCenterId === undefined ? "" : nameOfCenter(inventory, dataCenterId),
      type,
      status,
      description: "",
      comment: "",
    },
    ...(dataCenterId !== undefined && { ownerId: dataCenterId }),
  };
}
