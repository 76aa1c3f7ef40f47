import { element, field, reference } from "../engine/build-xml.ts";
import type { EngineCaller } from "../engine/engine-caller.ts";
import { parseList } from "../model/parse-list.ts";
import { parseStorageDomain, type StorageDomain } from "../model/storage-domain.ts";
import { parseVm, type Vm } from "../model/vm.ts";
import { action } from "./action.ts";
import { orUndefined } from "./if-missing.ts";
import { path } from "./paths.ts";

/** An export domain on NFS. */
export interface NewExportDomain {
  readonly name: string;
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
}

export interface VmImport {
  readonly clusterId: string;
  /** Where its disks go. */
  readonly storageDomainId: string;
  /** Makes a machine of its own, with new ids. Needed where the engine has the machine already. */
  readonly clone?: { readonly name: string } | undefined;
  /** Merges the volumes of each disk into one. A clone needs it. */
  readonly collapseSnapshots: boolean;
}

/** Conflicts with the state of a domain are thrown at once: the caller looks at the state again. */
const conflictDeadlineMs = 0;

/** Export storage domains (deprecated since 4.1): their life, and the machines in them. */
export class ExportDomainService {
  readonly #engine: EngineCaller;

  constructor(engine: EngineCaller) {
    this.#engine = engine;
  }

  /** The engine's host mounts the export and makes the domain's files there. Attach it to a data center next. */
  async create(domain: NewExportDomain, signal: AbortSignal): Promise<StorageDomain> {
    const body = element(
      "storage_domain",
      {},
      field("name", domain.name),
      field("type", "export"),
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

  /** A data center takes one export domain; the engine refuses a second one. */
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

  /** The machines that lie in an active export domain. */
  async vms(domainId: string, signal: AbortSignal): Promise<readonly Vm[]> {
    return parseList(await this.#engine.get(path("storagedomains", domainId, "vms"), { signal }), "vms", "vm", parseVm);
  }

  /** Resolves while the new machine is still `image_locked`. */
  async importVm(domainId: string, vmId: string, wanted: VmImport, signal: AbortSignal): Promise<void> {
    const { clone, collapseSnapshots } = wanted;
    const old = (await this.#engine.apiVersion(signal)) === 3;
    const collapse = old && collapseSnapshots ? element("snapshots", {}, field("collapse_snapshots", true)) : undefined;
    const settings = [field("name", clone?.name), collapse].filter((one) => one !== undefined);
    const body = action(
      field("clone", clone === undefined ? undefined : true),
      reference("cluster", wanted.clusterId),
      reference("storage_domain", wanted.storageDomainId),
      field("vm", settings.length === 0 ? undefined : settings),
    );
    const query = old || !collapseSnapshots ? {} : { collapse_snapshots: true };
    await this.#engine.post(path("storagedomains", domainId, "vms", vmId, "import"), body, { query, signal });
  }

  /** Deletes the machine's files from the domain. Succeeds if it is gone already. */
  async removeVm(domainId: string, vmId: string, signal: AbortSignal): Promise<void> {
    await orUndefined(this.#engine.delete(path("storagedomains", domainId, "vms", vmId), { signal }));
  }
}
