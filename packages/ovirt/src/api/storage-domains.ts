import { element, field, reference } from "../engine/build-xml.ts";
import type { EngineCaller } from "../engine/engine-caller.ts";
import { parseDisk, type EngineDisk } from "../model/engine-disk.ts";
import { parseList } from "../model/parse-list.ts";
import { parseStorageConnection, type StorageConnection } from "../model/storage-connection.ts";
import { parseStorageDomain, type StorageDomain } from "../model/storage-domain.ts";
import { action } from "./action.ts";
import { orUndefined } from "./if-missing.ts";
import { path } from "./paths.ts";

/** A storage domain on NFS. */
export interface NewStorageDomain {
  readonly name: string;
  readonly type: "data" | "export";
  /** The host that prepares it; it must be up, and in the data center that the domain is for. */
  readonly hostId: string;
  /** Of the NFS server, as the hosts reach it. */
  readonly address: string;
  /** Of the export on that server. */
  readonly path: string;
  /** As of `mount -o`, beside what hosts set themselves (version, timeouts). */
  readonly mountOptions?: string | undefined;
  /** Default: hosts negotiate it. */
  readonly nfsVersion?: "v3" | undefined;
  /** `v3` to `v5`. Default: what the engine's release makes. Not for export domains. */
  readonly storageFormat?: string | undefined;
}

/** Conflicts with the state of a domain are thrown at once: the caller looks at the state again. */
const conflictDeadlineMs = 0;

/** Life of storage domains on NFS, and the disks that others have put on them. */
export class StorageDomainService {
  readonly #engine: EngineCaller;

  constructor(engine: EngineCaller) {
    this.#engine = engine;
  }

  /**
   * The engine's host mounts the export and makes the domain's files there, or takes over the data domain that lies
   * there already. The engine makes a storage connection for it, which goes with the domain (FileStorageHelper of oVirt
   * engine). Attach it to a data center next.
   */
  async create(domain: NewStorageDomain, signal: AbortSignal): Promise<StorageDomain> {
    const body = element(
      "storage_domain",
      {},
      field("name", domain.name),
      field("storage_format", domain.storageFormat),
      field("type", domain.type),
      element(
        "storage",
        {},
        field("address", domain.address),
        field("mount_options", domain.mountOptions),
        field("nfs_version", domain.nfsVersion),
        field("path", domain.path),
        field("type", "nfs"),
      ),
      reference("host", domain.hostId),
    );
    // What a host does not like about the export is a conflict too, and stays one.
    const options = { signal, conflictDeadlineMs };
    return parseStorageDomain(await this.#engine.post("/storagedomains", body, options));
  }

  /**
   * The engine activates it, too: resolves before it is `active`. Every host of the data center must be able to mount
   * it. A data center takes one export domain; the engine refuses a second one.
   */
  async attach(dataCenterId: string, domainId: string, signal: AbortSignal): Promise<StorageDomain> {
    const place = path("datacenters", dataCenterId, "storagedomains");
    return parseStorageDomain(
      await this.#engine.post(place, element("storage_domain", { id: domainId }), { signal, conflictDeadlineMs }),
    );
  }

  /** Resolves before the domain is `active`. */
  async activate(dataCenterId: string, domainId: string, signal: AbortSignal): Promise<void> {
    const place = path("datacenters", dataCenterId, "storagedomains", domainId, "activate");
    await this.#engine.post(place, action(), { signal, conflictDeadlineMs });
  }

  /** Resolves before the domain is in `maintenance`. */
  async deactivate(dataCenterId: string, domainId: string, signal: AbortSignal): Promise<void> {
    const place = path("datacenters", dataCenterId, "storagedomains", domainId, "deactivate");
    await this.#engine.post(place, action(), { signal, conflictDeadlineMs });
  }

  /** The domain must be in `maintenance`. Succeeds if it is not attached. */
  async detach(dataCenterId: string, domainId: string, signal: AbortSignal): Promise<void> {
    const place = path("datacenters", dataCenterId, "storagedomains", domainId);
    await orUndefined(this.#engine.delete(place, { signal, conflictDeadlineMs }));
  }

  /**
   * Makes the engine forget a detached domain. `format` also deletes its files, through the host. Succeeds if it is
   * gone already.
   */
  async remove(
    domainId: string,
    options: { readonly hostId: string; readonly format: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const place = path("storagedomains", domainId);
    const { hostId, format } = options;
    // Version 3 takes the parameters as a body.
    const parameters =
      (await this.#engine.apiVersion(signal)) === 3
        ? { body: element("storage_domain", {}, field("format", format), reference("host", hostId)) }
        : { query: { host: hostId, format } };
    await orUndefined(this.#engine.delete(place, { ...parameters, signal, conflictDeadlineMs }));
  }

  /**
   * Makes the engine forget a domain that is not active, attached or not, with its disks and the machines that have no
   * others. No host looks at the storage, which may be gone. Succeeds if the domain is gone already. Version 4 only
   * (StorageDomainService of oVirt engine API model 4.0: `destroy`).
   */
  async forget(domainId: string, signal: AbortSignal): Promise<void> {
    const options = { query: { destroy: true }, signal, conflictDeadlineMs };
    await orUndefined(this.#engine.delete(path("storagedomains", domainId), options));
  }

  /** Disks that the engine knows of, those that it keeps for itself among them. Empty when there is no such domain. */
  disks(domainId: string, signal: AbortSignal): Promise<readonly EngineDisk[]> {
    return this.#disks(domainId, {}, signal);
  }

  /** Disks that others have put on an active domain: a host reads the metadata of all volumes. */
  unregisteredDisks(domainId: string, signal: AbortSignal): Promise<readonly EngineDisk[]> {
    return this.#disks(domainId, { unregistered: true }, signal);
  }

  /**
   * Takes a disk over that others have put on an active domain (engine 3.6 and later; the action `register` of 4.2 does
   * the same).
   */
  async registerDisk(domainId: string, diskId: string, signal: AbortSignal): Promise<EngineDisk> {
    const options = { query: { unregistered: true }, signal };
    const place = path("storagedomains", domainId, "disks");
    return parseDisk(await this.#engine.post(place, element("disk", { id: diskId }), options));
  }

  /** Connections to storage, also those that no domain uses. Empty where the engine does not show them. */
  async connections(signal: AbortSignal): Promise<readonly StorageConnection[]> {
    const root = await orUndefined(this.#engine.get("/storageconnections", { signal }));
    if (root === undefined) return [];
    return parseList(root, "storage_connections", "storage_connection", parseStorageConnection);
  }

  /** Of no domain. Succeeds if it is gone already. */
  async removeConnection(connectionId: string, signal: AbortSignal): Promise<void> {
    await orUndefined(this.#engine.delete(path("storageconnections", connectionId), { signal, conflictDeadlineMs }));
  }

  async #disks(
    domainId: string,
    query: { readonly unregistered?: boolean },
    signal: AbortSignal,
  ): Promise<readonly EngineDisk[]> {
    const root = await orUndefined(this.#engine.get(path("storagedomains", domainId, "disks"), { query, signal }));
    return root === undefined ? [] : parseList(root, "disks", "disk", parseDisk);
  }
}
