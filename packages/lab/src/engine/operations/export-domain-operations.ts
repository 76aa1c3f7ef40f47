import { randomUUID } from "node:crypto";

import { NfsClient } from "../../nfs/nfs-client.ts";
import { NfsFailure } from "../../nfs/nfs-failure.ts";
import type { EngineCore } from "../engine-core.ts";
import { conflict, notFound } from "../engine-fault.ts";
import type { ExportDomainState } from "../engine-state.ts";
import { ExportTree } from "../export/export-tree.ts";
import { readOvf } from "../ovf/read-ovf.ts";

/** Life of export domains. Hosts see the export through NFS alone. */
export class ExportDomainOperations {
  readonly #core: EngineCore;

  constructor(core: EngineCore) {
    this.#core = core;
  }

  /** @throws EngineFault 404 */
  get(id: string): ExportDomainState {
    const found = this.#core.state.exportDomains.find((domain) => domain.id === id);
    if (found === undefined) throw notFound();
    return found;
  }

  has(id: string): boolean {
    return this.#core.state.exportDomains.some((domain) => domain.id === id);
  }

  ofDataCenter(id: string): ExportDomainState | undefined {
    return this.#core.state.exportDomains.find(({ dataCenterId }) => dataCenterId === id);
  }

  /**
   * Makes the tree on an export, or takes over the export domain that lies there already, with its machines
   * (BackendStorageDomainsResource of oVirt engine 3.6).
   */
  async create(wanted: Omit<ExportDomainState, "id" | "status">): Promise<ExportDomainState> {
    const { state, store } = this.#core;
    const names = [...state.exportDomains, ...state.inventory.storageDomains].map(({ name }) => name);
    if (names.includes(wanted.name)) {
      throw conflict("Cannot add Storage. The Storage Domain name is already in use.");
    }
    if (state.exportDomains.some(({ address, path }) => address === wanted.address && path === wanted.path)) {
      throw conflict("Cannot add Storage Connection. Storage connection already exists.");
    }
    const domain = await onNfs(wanted, async (nfs) => {
      const present = await ExportTree.find(nfs);
      const made: ExportDomainState = { ...wanted, id: present?.id ?? randomUUID(), status: "unattached" };
      if (present === undefined) await new ExportTree(nfs, made).create();
      return made;
    });
    if (this.has(domain.id)) throw conflict("Cannot add Storage. The Storage Domain already exists.");
    state.exportDomains.push(domain);
    store.changed();
    return domain;
  }

  /** Attaches and activates. A data centre takes one. */
  async attach(id: string, dataCenterId: string): Promise<ExportDomainState> {
    const domain = this.get(id);
    if (domain.dataCenterId !== undefined) {
      throw conflict("Cannot attach Storage. The Storage Domain is already attached to a Data Center.");
    }
    if (this.ofDataCenter(dataCenterId) !== undefined) {
      throw conflict(
        "Cannot attach more than one Import/Export Storage Domain to the same Data Center. If you want to use a newly created Domain, detach the existing attached Domain and attach the new one.",
      );
    }
    await this.tree(domain, async (tree) => {
      const { poolIds } = await tree.check();
      if (poolIds.some((poolId) => poolId !== dataCenterId)) {
        throw conflict(
          "The Domain is already used by another Data Center. In order to use it, detach it from the Data Center it is currently attached to.",
        );
      }
      await tree.writeMetadata(dataCenterId);
    });
    domain.dataCenterId = dataCenterId;
    return this.#set(domain, "active");
  }

  async activate(id: string): Promise<void> {
    const domain = this.get(id);
    if (domain.status !== "maintenance") throw wrongStatus(domain, "activate Storage");
    await this.tree(domain, (tree) => tree.check());
    this.#set(domain, "active");
  }

  deactivate(id: string): void {
    const domain = this.get(id);
    if (domain.status !== "active") throw wrongStatus(domain, "deactivate Storage");
    this.#set(domain, "maintenance");
  }

  async detach(id: string): Promise<void> {
    const domain = this.get(id);
    if (domain.status !== "maintenance") throw wrongStatus(domain, "detach Storage");
    await this.tree(domain, (tree) => tree.writeMetadata(undefined));
    delete domain.dataCenterId;
    this.#set(domain, "unattached");
  }

  /** `destroy`: forgets it, whatever its state. `format`: removes its tree. */
  async remove(id: string, options: { readonly destroy: boolean; readonly format: boolean }): Promise<void> {
    const domain = this.get(id);
    const { exportDomains } = this.#core.state;
    if (!options.destroy && domain.status !== "unattached") {
      throw conflict("Cannot remove Storage. The Storage Domain is attached to a Data Center.");
    }
    if (!options.destroy && options.format) await this.tree(domain, (tree) => tree.format());
    exportDomains.splice(exportDomains.indexOf(domain), 1);
    this.#core.store.changed();
  }

  /** OVFs of the machines in it, by their ids. */
  async list(id: string): Promise<ReadonlyMap<string, string>> {
    const domain = this.get(id);
    requireActive(domain, "read Storage");
    return this.tree(domain, async (tree) => {
      const all = new Map<string, string>();
      for (const vmId of await tree.vmIds()) all.set(vmId, await tree.readOvf(vmId));
      return all;
    });
  }

  async removeVm(id: string, vmId: string): Promise<void> {
    const ovf = (await this.list(id)).get(vmId);
    if (ovf === undefined) throw notFound();
    const imageIds = readOvf(ovf).disks.map(({ diskId }) => diskId);
    await this.tree(this.get(id), (tree) => tree.removeVm(vmId, imageIds));
  }

  /** Works on the tree, as a host that has mounted the export. @throws EngineFault 409 when NFS fails */
  tree<T>(domain: ExportDomainState, work: (tree: ExportTree) => Promise<T>): Promise<T> {
    return onNfs(domain, (nfs) => work(new ExportTree(nfs, domain)));
  }

  #set(domain: ExportDomainState, status: ExportDomainState["status"]): ExportDomainState {
    domain.status = status;
    this.#core.store.changed();
    return domain;
  }
}

/** @throws EngineFault 409 */
export function requireActive({ status }: ExportDomainState, action: string): void {
  if (status === "active") return;
  throw conflict(`Cannot ${action}. The relevant Storage Domain is inaccessible. It is ${status}.`);
}

function wrongStatus({ status }: ExportDomainState, action: string): Error {
  return conflict(`Cannot ${action}. The relevant Storage Domain's status is ${status}.`);
}

function onNfs<T>(place: Omit<ExportDomainState, "id" | "status">, work: (nfs: NfsClient) => Promise<T>): Promise<T> {
  return NfsClient.with(place, work).catch((error: unknown) => {
    if (!(error instanceof NfsFailure)) throw error;
    throw conflict(`Problem while trying to mount target or to use it: ${error.systemCode}, ${error.message}`);
  });
}
