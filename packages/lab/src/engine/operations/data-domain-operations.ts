import { randomUUID } from "node:crypto";

import { NfsClient, type NfsPlace } from "../../nfs/nfs-client.ts";
import { NfsFailure } from "../../nfs/nfs-failure.ts";
import { ownAttachments } from "../attachments.ts";
import { formatOf, versionOf } from "../data/data-domain-metadata.ts";
import { DataTree } from "../data/data-tree.ts";
import { OvfStores } from "../data/ovf-stores.ts";
import { LockspaceMember, type Renewals } from "../../data-domain/lockspace-member.ts";
import { reasonOf, type EngineCore } from "../engine-core.ts";
import { badRequest, conflict, notFound } from "../engine-fault.ts";
import type { DataDomainState, DiskState, StorageFormat, VmState } from "../engine-state.ts";
import { eventCodes } from "../event-codes.ts";
import { readOvf } from "../ovf/read-ovf.ts";
import { writeOvf } from "../ovf/write-ovf.ts";
import { isUp } from "../placement.ts";

/** Body of `POST /storagedomains`. */
export type DataDomainRequest = Pick<DataDomainState, "name" | "address" | "path" | "mountOptions" | "nfsVersion"> & {
  /** Of a new domain; absent: that of the engine's release. */
  readonly format?: StorageFormat | undefined;
};

/** Mount options that the engine sets itself (MountConnectionParameters of oVirt engine). */
const MANAGED_OPTIONS = [
  "timeo",
  "retrans",
  "vfs_type",
  "protocol_version",
  "nfsvers",
  "vers",
  "minorversion",
  "addr",
  "clientaddr",
];
/** sanlock's time for one I/O: a domain that is silent for longer fails. */
const IO_TIMEOUT_MS = 10_000;
/** Steps between two looks at the renewals. */
const WATCH_STEPS = 2;
/** Steps that a mount may take. */
const MOUNT_STEPS = 100;
/** Steps after which a host gives up on a server that has stopped to answer. */
const WORK_STEPS = 300;

/** Life of data domains on NFS servers of others. A host makes, checks and joins them through an NFS client. */
export class DataDomainOperations {
  readonly #core: EngineCore;
  readonly #members = new Map<string, LockspaceMember>();

  constructor(core: EngineCore) {
    this.#core = core;
  }

  /** @throws EngineFault 404 */
  get(id: string): DataDomainState {
    const found = this.#core.state.dataDomains.find((domain) => domain.id === id);
    if (found === undefined) throw notFound();
    return found;
  }

  has(id: string): boolean {
    return this.#core.state.dataDomains.some((domain) => domain.id === id);
  }

  /** How the host has renewed its lease of an active domain; `undefined` for others. */
  renewals(id: string): Renewals | undefined {
    return this.#members.get(id)?.renewals;
  }

  /**
   * Makes the tree on an empty export, or takes over the data domain that lies there already: engines ask for no flag
   * on NFS. The texts are those of real engines; a failed mount is answered with 400
   * (oVirt/ovirt-ansible-collection issue 64).
   */
  async create({ format, ...place }: DataDomainRequest): Promise<DataDomainState> {
    const { state, store, behaviour, journal } = this.#core;
    const names = [...state.exportDomains, ...state.dataDomains, ...state.inventory.storageDomains];
    if (names.some(({ name }) => name === place.name)) {
      throw conflict("Cannot add Storage. The Storage Domain name is already in use.");
    }
    requireManageable(place);
    const same = ({ address, path }: NfsPlace): boolean => address === place.address && path === place.path;
    if ([...state.exportDomains, ...state.dataDomains].some(same)) {
      throw conflict("Cannot add Storage Connection. Storage connection already exists.");
    }
    const wanted = format ?? behaviour.storageFormat;
    if (versionOf(wanted) > versionOf(behaviour.storageFormat)) throw illegalFormat("add Storage", wanted);
    const domain = await this.#mounted(place, async (nfs) => {
      await DataTree.checkExport(nfs);
      const present = await DataTree.find(nfs);
      if (present !== undefined) {
        const found = formatOf(present.version);
        if (found === undefined) throw illegalFormat("add Storage", `v${present.version}`);
        return { ...place, id: present.id, format: found, status: "unattached" } satisfies DataDomainState;
      }
      const made: DataDomainState = { ...place, id: randomUUID(), format: wanted, status: "unattached" };
      await new DataTree(nfs, made).create();
      return made;
    });
    if (this.has(domain.id)) throw conflict("Cannot add Storage. The Storage Domain already exists.");
    state.dataDomains.push(domain);
    store.changed();
    journal.event(eventCodes.domainAdded, { description: `Storage Domain ${domain.name} was added by admin@internal` });
    return domain;
  }

  /**
   * Attaches, then activates: answers with a locked domain. A domain that is older than the data centre is converted to
   * its format.
   */
  async attach(id: string, dataCenterId: string): Promise<DataDomainState> {
    const { state, behaviour } = this.#core;
    const domain = this.get(id);
    if (domain.status !== "unattached") {
      throw conflict("Cannot attach Storage. The Storage Domain is already attached to a Data Center.");
    }
    if (versionOf(domain.format) > versionOf(behaviour.storageFormat)) {
      throw illegalFormat("attach Storage", domain.format);
    }
    await this.#tree(domain, "attach Storage", async (tree) => {
      const { poolIds } = await tree.check();
      if (poolIds.some((poolId) => poolId !== dataCenterId)) {
        throw conflict(
          "Cannot attach Storage. The Storage Domain is already attached to another Data Center. Detach it there first.",
        );
      }
    });
    domain.format = behaviour.storageFormat;
    await this.#tree(domain, "attach Storage", (tree) => tree.writeMetadata(dataCenterId));
    domain.dataCenterId = dataCenterId;
    state.inventory.storageDomains.push({ id, name: domain.name, dataCenterId, storageType: "nfs" });
    await this.#mount(domain);
    this.#event(domain, eventCodes.domainAttached, "was attached to Data Center");
    this.#activateLater(domain);
    return domain;
  }

  /** Answers with a domain that is locked, then activating, then active. */
  async activate(id: string): Promise<void> {
    const domain = this.get(id);
    if (domain.status !== "maintenance" && domain.status !== "inactive") throw wrongStatus(domain, "activate Storage");
    await this.#tree(domain, "activate Storage", (tree) => tree.check());
    this.#activateLater(domain);
  }

  /** Answers with a domain that prepares for maintenance. @throws EngineFault 409 while machines run from it */
  deactivate(id: string): void {
    const domain = this.get(id);
    const action = "deactivate Storage";
    if (domain.status !== "active" && domain.status !== "inactive") throw wrongStatus(domain, action);
    const running = this.#vmsOn(id).filter(({ status }) => status !== "down");
    if (running.length > 0) {
      const names = running.map(({ name }) => name).join(", ");
      throw conflict(
        `Cannot ${action} while there are running VMs using this storage domain.\n-Please stop all VMs from this Storage Domain and try again. VMs: ${names}`,
      );
    }
    this.#core.requireOk(this.#disksOn(id), action);
    const answers = domain.status === "active";
    this.#set(domain, "preparing_for_maintenance");
    this.#core.runJob(`Deactivating Storage Domain ${domain.name}`, "", async () => {
      await this.#core.background.steps();
      if (answers) await this.updateOvfs(domain.id).catch(() => {}); // the next update will do
      await this.#leave(domain);
      this.#set(domain, "maintenance");
      this.#event(domain, eventCodes.domainDeactivated, "was deactivated and has moved to 'Maintenance'");
    });
  }

  /** OVFs in the domain's stores, by the ids of the machines. @throws EngineFault 409 */
  async ovfs(id: string): Promise<ReadonlyMap<string, string>> {
    const domain = this.get(id);
    if (domain.status !== "active") throw wrongStatus(domain, "scan Storage");
    return this.#stores(domain, (stores) => stores.read());
  }

  /** Writes the OVFs of the machines on it to its stores, with those of machines whose disks wait to be registered. */
  async updateOvfs(id: string): Promise<void> {
    const domain = this.get(id);
    const { state, hypervisor } = this.#core;
    const own = this.#vmsOn(id).map((vm) => [vm.id, writeOvf(vm, state)] as const);
    const lying = new Set((await hypervisor.volumesOn(id)).map(({ diskId }) => diskId));
    await this.#stores(domain, async (stores) => {
      const waiting = [...(await stores.read())].filter(
        ([vmId, ovf]) =>
          !(vmId in state.vms) &&
          readOvf(ovf).disks.some(({ diskId }) => lying.has(diskId) && !(diskId in state.disks)),
      );
      await stores.write(new Map([...waiting, ...own]));
    });
  }

  /** The disks on it, and the machines that have no others, leave the engine and stay on the storage. */
  async detach(id: string): Promise<void> {
    const domain = this.get(id);
    if (domain.status !== "maintenance") throw wrongStatus(domain, "detach Storage");
    await this.#tree(domain, "detach Storage", (tree) => tree.writeMetadata(undefined));
    await this.#forgetDisks(id);
    this.#forgetAttachment(domain);
    this.#set(domain, "unattached");
    this.#event(domain, eventCodes.domainDetached, "was detached from Data Center");
  }

  /** `destroy`: forgets it without a look at the storage. `format`: removes its tree. */
  async remove(id: string, options: { readonly destroy: boolean; readonly format: boolean }): Promise<void> {
    const { state, store, journal } = this.#core;
    const domain = this.get(id);
    const action = options.destroy ? "destroy Storage" : "remove Storage";
    const running = this.#vmsOn(id).some(({ status }) => status !== "down");
    if (options.destroy ? domain.status === "active" || running : domain.status !== "unattached") {
      throw wrongStatus(domain, action);
    }
    if (options.destroy) {
      await this.#leave(domain);
      await this.#forgetDisks(id);
      this.#forgetAttachment(domain);
    } else if (options.format) await this.#tree(domain, action, (tree) => tree.format());
    state.dataDomains.splice(state.dataDomains.indexOf(domain), 1);
    store.changed();
    journal.event(eventCodes.domainRemoved, { description: `Storage Domain ${domain.name} was removed` });
  }

  /** Joins the domains that were active when the last engine ended. */
  async recover(): Promise<void> {
    for (const domain of this.#core.state.dataDomains) {
      if (domain.status === "unattached") continue;
      await this.#mount(domain);
      if (domain.status === "maintenance") continue;
      if (domain.status === "preparing_for_maintenance") domain.status = "maintenance";
      else await this.#join(domain).catch(() => this.#set(domain, "inactive"));
    }
  }

  /** Leaves the lockspaces; the domains are active at the next start. */
  async close(): Promise<void> {
    for (const member of this.#members.values()) await member.close();
    this.#members.clear();
  }

  /** Where QEMU cannot reach NFS servers, the domain is there without disks; an event says why. */
  async #mount(domain: DataDomainState): Promise<void> {
    try {
      await this.#core.hypervisor.mount({ ...domain, version: versionOf(domain.format) });
    } catch (error) {
      this.#event(domain, eventCodes.engineError, `has no disks: ${reasonOf(error)}`, "error");
    }
  }

  #activateLater(domain: DataDomainState): void {
    this.#set(domain, "locked");
    this.#core.runJob(`Activating Storage Domain ${domain.name}`, "", async () => {
      await this.#core.background.steps();
      this.#set(domain, "activating");
      try {
        await this.#join(domain);
        await this.#stores(domain, (stores) => stores.make());
      } catch (error) {
        this.#set(domain, "inactive");
        throw error;
      }
      await this.#core.background.steps();
      this.#set(domain, "active");
      this.#event(domain, eventCodes.domainActivated, "was activated");
    });
  }

  async #join(domain: DataDomainState): Promise<void> {
    const { inventory } = this.#core.state;
    const clusters = inventory.clusters.filter(({ dataCenterId }) => dataCenterId === domain.dataCenterId);
    const host = inventory.hosts.find((one) => isUp(one) && clusters.some(({ id }) => id === one.clusterId));
    if (host === undefined) throw conflict("Cannot activate Storage. There is no active Host in the Data Center.");
    const hostId = inventory.hosts.indexOf(host) + 1;
    const member = new LockspaceMember({
      place: domain,
      domainId: domain.id,
      ids: `/${domain.id}/dom_md/ids`,
      hostId,
      hostName: host.name,
    });
    this.#members.set(domain.id, member);
    this.#core.background.start(() => this.#watch(domain, member));
  }

  async #leave({ id }: DataDomainState): Promise<void> {
    const member = this.#members.get(id);
    this.#members.delete(id);
    await member?.close();
  }

  /** Sets an active domain inactive while its host cannot renew its lease there, and active again afterwards. */
  async #watch(domain: DataDomainState, member: LockspaceMember): Promise<void> {
    while (this.#members.get(domain.id) === member) {
      await this.#core.background.steps(WATCH_STEPS);
      const isSilent = member.renewals.underWayMs > IO_TIMEOUT_MS;
      if (isSilent && domain.status === "active") {
        this.#set(domain, "inactive");
        this.#event(
          domain,
          eventCodes.domainFailed,
          "was deactivated by system because it's not visible by any of the hosts",
          "error",
        );
      }
      if (member.renewals.underWayMs === 0 && domain.status === "inactive") {
        this.#set(domain, "active");
        this.#event(domain, eventCodes.domainActivated, "was activated by system");
      }
    }
  }

  #disksOn(id: string): readonly DiskState[] {
    return Object.values(this.#core.state.disks).filter(({ storageDomainId }) => storageDomainId === id);
  }

  #vmsOn(id: string): readonly VmState[] {
    const diskIds = new Set(this.#disksOn(id).map((disk) => disk.id));
    return Object.values(this.#core.state.vms).filter((vm) => vm.attachments.some(({ diskId }) => diskIds.has(diskId)));
  }

  async #forgetDisks(id: string): Promise<void> {
    const { state } = this.#core;
    const diskIds = new Set(this.#disksOn(id).map((disk) => disk.id));
    for (const vm of this.#vmsOn(id)) {
      if (ownAttachments(vm).every(({ diskId }) => diskIds.has(diskId))) delete state.vms[vm.id];
      else vm.attachments.splice(0, vm.attachments.length, ...vm.attachments.filter((a) => !diskIds.has(a.diskId)));
    }
    for (const diskId of diskIds) delete state.disks[diskId];
    await this.#core.hypervisor.unmount(id);
  }

  #forgetAttachment(domain: DataDomainState): void {
    const { storageDomains } = this.#core.state.inventory;
    const at = storageDomains.findIndex(({ id }) => id === domain.id);
    if (at >= 0) storageDomains.splice(at, 1);
    delete domain.dataCenterId;
  }

  #tree<T>(domain: DataDomainState, action: string, work: (tree: DataTree) => Promise<T>): Promise<T> {
    return this.#mounted(domain, (nfs) => work(new DataTree(nfs, domain)), action);
  }

  #stores<T>(domain: DataDomainState, work: (stores: OvfStores) => Promise<T>): Promise<T> {
    return this.#mounted(domain, (nfs) => work(new OvfStores(nfs, domain)), "update Storage");
  }

  /** Works as a host that mounts the export. With `action`, a failure is one of a domain that was used before. */
  async #mounted<T>(place: NfsPlace, work: (nfs: NfsClient) => Promise<T>, action?: string): Promise<T> {
    try {
      const { stepMs } = this.#core.background;
      return await NfsClient.with(place, (nfs) => bounded(nfs, work, stepMs * WORK_STEPS), stepMs * MOUNT_STEPS);
    } catch (error) {
      if (!(error instanceof NfsFailure)) throw error;
      if (action === undefined) throw badRequest("Problem while trying to mount target");
      // As of oVirt/ovirt-ansible-collection pull request 534.
      throw conflict(
        `Cannot ${action}. The relevant Storage Domain is inaccessible.\n-Please handle Storage Domain issues and retry the operation.`,
      );
    }
  }

  #set(domain: DataDomainState, status: DataDomainState["status"]): void {
    domain.status = status;
    this.#core.store.changed();
  }

  #event({ name }: DataDomainState, code: number, what: string, severity: "normal" | "error" = "normal"): void {
    this.#core.journal.event(code, { description: `Storage Domain ${name} ${what}.`, severity });
  }
}

function requireManageable({ mountOptions = "", nfsVersion = "auto" }: DataDomainRequest): void {
  const names = mountOptions.split(",").map((option) => option.replace(/=.*/, "").trim());
  const managed = names.filter((name) => MANAGED_OPTIONS.includes(name));
  if (managed.length > 0) {
    throw badRequest(
      `Cannot add Storage Connection. Custom mount options contain the following duplicate managed options: ${managed.join(", ")}.`,
    );
  }
  if (nfsVersion !== "auto" && nfsVersion !== "v3") throw badRequest("Problem while trying to mount target");
}

async function bounded<T>(nfs: NfsClient, work: (nfs: NfsClient) => Promise<T>, patienceMs: number): Promise<T> {
  const giveUp = setTimeout(() => nfs.close(), patienceMs);
  try {
    return await work(nfs);
  } finally {
    clearTimeout(giveUp);
  }
}

function illegalFormat(action: string, format: string): Error {
  return badRequest(`Cannot ${action}. The Storage Domain format ${format.toUpperCase()} is illegal.`);
}

function wrongStatus({ status }: DataDomainState, action: string): Error {
  return conflict(`Cannot ${action}. The relevant Storage Domain's status is ${status}.`);
}
