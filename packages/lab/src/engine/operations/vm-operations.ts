import { randomUUID } from "node:crypto";

import { attachmentOf, ownAttachments, pluggedDisks } from "../attachments.ts";
import { conflict, incomplete } from "../engine-fault.ts";
import { reasonOf, type EngineCore } from "../engine-core.ts";
import type { AttachmentState, VmState } from "../engine-state.ts";
import { eventCodes } from "../event-codes.ts";
import { dataCenterOf } from "../inventory.ts";
import { readOvf } from "../ovf/read-ovf.ts";
import { emptyVm } from "../empty-vm.ts";
import { hostToMigrate, hostToStart } from "../placement.ts";
import { plugsOf } from "../plugs.ts";
import { nameIsUsed, nameUsed, requireValidName } from "../vm-names.ts";
import { changedSettings, requireConsistent, setting, type VmSettings } from "../vm-settings.ts";
import type { AttachmentOperations } from "./attachment-operations.ts";
import type { BackupOperations } from "./backup-operations.ts";
import type { DiskOperations } from "./disk-operations.ts";
import type { GuestOperations } from "./guest-operations.ts";
import type { NicOperations } from "./nic-operations.ts";
import { VmCloneOperations } from "./vm-clone-operations.ts";

/** Body of `POST /vms`. */
export interface VmRequest {
  readonly name?: string | undefined;
  readonly clusterId: string;
  readonly settings: VmSettings;
  readonly ovf?: string | undefined;
  /** Clones this snapshot of another machine, with copies of its disks. */
  readonly snapshotId?: string | undefined;
  /** Storage domains of a clone's disks, by the id of the disk that is copied. Absent: that disk's own. */
  readonly domainsOfCopies?: ReadonlyMap<string, string> | undefined;
  readonly regenerateIds: boolean;
  /** Attaches no disks of the OVF, and leaves the machine locked. */
  readonly disksFollow?: boolean | undefined;
  readonly correlationId: string;
}

interface OnHost {
  /** Id of the host that the caller wants. */
  readonly host?: string | undefined;
}

const IMPORT_NAME_USED =
  "Import VM failed - VM Name already exists in the Data Center. Please rename the VM in the Data Center first";
/** Life of machines: made, started, stopped, removed. */
export class VmOperations {
  readonly #core: EngineCore;
  readonly #disks: DiskOperations;
  readonly #attachments: AttachmentOperations;
  readonly #backups: BackupOperations;
  readonly #guests: GuestOperations;
  readonly #nics: NicOperations;
  readonly #clones: VmCloneOperations;

  constructor(
    core: EngineCore,
    operations: {
      readonly disks: DiskOperations;
      readonly attachments: AttachmentOperations;
      readonly backups: BackupOperations;
      readonly guests: GuestOperations;
      readonly nics: NicOperations;
    },
  ) {
    this.#core = core;
    this.#disks = operations.disks;
    this.#attachments = operations.attachments;
    this.#backups = operations.backups;
    this.#guests = operations.guests;
    this.#nics = operations.nics;
    this.#clones = new VmCloneOperations(core, operations);
  }

  /** Makes a machine, empty or from an OVF; attaches those disks of the OVF that exist and are free. */
  async create(request: VmRequest): Promise<VmState> {
    if (request.snapshotId !== undefined) return this.#clones.start(request, request.snapshotId);
    const fromOvf = request.ovf === undefined ? undefined : readOvf(request.ovf);
    const name = request.name ?? fromOvf?.name;
    if (name === undefined) throw incomplete("Vm", "name");
    const action = fromOvf === undefined ? "add VM" : "import VM";
    requireValidName(name, action);
    const { clusterId } = request;
    if (nameIsUsed(this.#core.state, name, clusterId))
      throw fromOvf === undefined ? nameUsed(action) : conflict(IMPORT_NAME_USED);
    const settings = changedSettings(fromOvf?.settings ?? {}, request.settings);
    requireConsistent(settings, action);
    const id = request.regenerateIds || fromOvf?.id === undefined ? randomUUID() : fromOvf.id;
    if (id in this.#core.state.vms) throw conflict(`Cannot import VM. VM with id ${id} already exists.`);
    const nics = (fromOvf?.nics ?? []).map((nic) => this.#nics.imported(nic, clusterId, request.regenerateIds));
    const used = nics.map(({ mac }) => mac).filter((mac) => this.#nics.ownerOfMac(mac) !== undefined);
    if (used.length > 0) throw conflict(`MAC Address is already in use: ${used.join(", ")}.`);
    const vm: VmState = {
      ...emptyVm(id, name, clusterId),
      settings,
      nics,
    };
    this.#core.state.vms[id] = vm;
    this.#core.store.changed();
    if (request.disksFollow === true) {
      vm.status = "image_locked";
      vm.isIncomplete = true;
      return vm;
    }
    for (const attachment of fromOvf?.disks ?? []) await this.#attachIfPossible(vm, attachment);
    return vm;
  }

  /** A machine that comes with the lab: empty, with one network card. */
  createGiven(
    name: string,
    options: Partial<Pick<VmState, "guestAgent" | "tagIds" | "devices" | "settings" | "templateId">> &
      Pick<VmState, "clusterId">,
  ): VmState {
    const { state, store } = this.#core;
    const vm: VmState = { ...emptyVm(randomUUID(), name, options.clusterId), given: true, ...options };
    state.vms[vm.id] = vm;
    store.changed();
    const vnicProfileId = this.#nics.profilesOf(vm.clusterId)[0]?.id;
    this.#nics.add(vm.id, { name: "nic1", ...(vnicProfileId !== undefined && { vnicProfileId }) });
    return vm;
  }

  /** Renames a machine and changes its settings; `changes` has only those to change. */
  update(
    vmId: string,
    changes: {
      readonly name?: string | undefined;
      readonly clusterId?: string | undefined;
      readonly settings: VmSettings;
    },
  ): void {
    const vm = this.#core.vm(vmId);
    const { inventory } = this.#core.state;
    const action = "edit VM";
    const { name = vm.name, clusterId = vm.clusterId } = changes;
    requireValidName(name, action);
    if (name !== vm.name && nameIsUsed(this.#core.state, name, clusterId)) throw nameUsed(action);
    if (dataCenterOf(inventory, clusterId) !== dataCenterOf(inventory, vm.clusterId)) {
      throw conflict("Cannot update VM. The target cluster is in another Data Center.");
    }
    const settings = changedSettings(vm.settings, changes.settings);
    requireConsistent(settings, action);
    if (clusterId !== vm.clusterId) delete vm.hostId; // the engine chooses again
    vm.name = name;
    vm.clusterId = clusterId;
    vm.settings = settings;
    this.#core.store.changed();
  }

  /** Answers at once with a machine that is powering up, on this host, or on one that the engine chooses. */
  start(vmId: string, { host: wanted, correlationId }: OnHost & { readonly correlationId: string }): void {
    const vm = this.#core.vm(vmId);
    this.#core.requireFree(vm, "run VM");
    if (vm.status !== "down") throw conflict(`Cannot run VM. VM is ${vm.status}.`);
    this.#core.requireOk(
      pluggedDisks(vm).map((id) => this.#core.disk(id)),
      "run VM",
    );
    const host = hostToStart(this.#core.state.inventory, vm, wanted);
    vm.hostId = host.id;
    vm.status = "wait_for_launch";
    this.#core.runJob(`Launching VM ${vm.name}`, correlationId, async () => {
      try {
        await this.#core.background.steps();
        await this.#core.hypervisor.startVm(vmId, plugsOf(this.#core, vm));
        vm.status = "powering_up";
        await this.#core.background.steps();
        vm.status = "up";
        this.#core.journal.event(eventCodes.vmStarted, {
          description: `VM ${vm.name} started on Host ${host.name}`,
          vmId,
        });
      } catch (error) {
        isDown(vm);
        throw error;
      } finally {
        this.#core.store.changed();
      }
    });
  }

  /** Starts a machine, where it ran last if it is not down, and waits until it is up. */
  async startNow(vmId: string, { host }: OnHost = {}): Promise<void> {
    const vm = this.#core.vm(vmId);
    vm.hostId = hostToStart(this.#core.state.inventory, vm, host ?? vm.hostId).id;
    await this.#core.hypervisor.startVm(vmId, plugsOf(this.#core, vm));
    vm.status = "up";
    this.#core.store.changed();
  }

  /** Answers at once with a machine that is migrating. */
  migrate(vmId: string, { host, correlationId }: OnHost & { readonly correlationId: string }): void {
    const vm = this.#core.vm(vmId);
    const arrive = this.#depart(vm, host);
    this.#core.runJob(`Migrating VM ${vm.name}`, correlationId, arrive);
  }

  /** Migrates a machine to another host and waits until it runs there. */
  async migrateNow(vmId: string, { host }: OnHost = {}): Promise<void> {
    await this.#depart(this.#core.vm(vmId), host)();
  }

  /** `shutdown` asks the guest, `stop` does not; both end QEMU gracefully. Answers at once. */
  stop(vmId: string, action: "stop" | "shutdown", correlationId: string): void {
    const vm = this.#core.vm(vmId);
    if (vm.status === "down") throw conflict(`Cannot ${action} VM. VM is not running.`);
    if (vm.lockedBy !== undefined) throw conflict(`Cannot ${action} VM. Related operation is in progress.`);
    if (action === "shutdown") vm.status = "powering_down";
    this.#core.runJob(`Stopping VM ${vm.name}`, correlationId, async () => {
      await this.#core.background.steps();
      await this.stopNow(vmId, { graceful: true });
    });
  }

  /** Stops a machine now. Not graceful: as when the host loses power. A backup under way fails. */
  async stopNow(vmId: string, options: { readonly graceful: boolean }): Promise<void> {
    const vm = this.#core.vm(vmId);
    vm.status = "powering_down";
    await this.#core.hypervisor.stopVm(vmId, options);
    isDown(vm);
    this.#guests.ended(vmId);
    this.#core.journal.event(eventCodes.vmPoweredOff, {
      description: options.graceful
        ? `VM ${vm.name} is down.`
        : `VM ${vm.name} is down with error. Lost connection with qemu process.`,
      severity: options.graceful ? "normal" : "error",
      vmId,
    });
    await this.#backups.machineStopped(vm);
  }

  /** Ends the machines of a host that lost power. */
  async hostFailed(hostId: string): Promise<void> {
    const vms = Object.values(this.#core.state.vms).filter((vm) => vm.hostId === hostId);
    for (const { id } of vms) await this.stopNow(id, { graceful: false });
  }

  /** Answers at once; with `detachOnly` the disks stay. */
  remove(vmId: string, options: { readonly detachOnly: boolean; readonly correlationId: string }): void {
    const vm = this.#core.vm(vmId);
    const action = "remove VM";
    this.#core.requireFree(vm, action);
    if (vm.status !== "down") throw conflict(`Cannot ${action}. VM is running.`);
    if (setting(vm.settings, "delete_protected") === "true") {
      throw conflict(
        `Cannot ${action}. Delete protection is enabled. In order to delete, disable Delete protection first.`,
      );
    }
    const disks = ownAttachments(vm).map(({ diskId }) => this.#core.disk(diskId));
    this.#core.requireOk(disks, action);
    this.#core.requireNotAttachedElsewhere(vm.snapshots, action);
    vm.status = "image_locked";
    this.#core.runJob(`Removing VM ${vm.name}`, options.correlationId, async () => {
      await this.#core.background.steps();
      if (!options.detachOnly) for (const disk of disks) this.#disks.drop(disk);
      delete this.#core.state.vms[vmId];
      this.#core.store.changed();
    });
  }

  /** @throws EngineFault 404 */
  setBootable(vmId: string, diskId: string, bootable: boolean): void {
    const vm = this.#core.vm(vmId);
    const attachment = attachmentOf(vm, diskId);
    if (bootable && vm.attachments.some((other) => other.bootable && other !== attachment)) {
      throw conflict("Cannot edit Virtual Disk. The VM has a bootable disk already.");
    }
    attachment.bootable = bootable;
    this.#core.store.changed();
  }

  /** Returns the rest of the work: to end QEMU here and start it on the other host. */
  #depart(vm: VmState, host: string | undefined): () => Promise<void> {
    const action = "migrate VM";
    this.#core.requireFree(vm, action);
    if (vm.status !== "up") throw conflict(`Cannot ${action}. VM is ${vm.status}.`);
    const target = hostToMigrate(this.#core.state.inventory, vm, host);
    const unlock = this.#core.lock(vm, action);
    vm.status = "migrating";
    return async () => {
      try {
        await this.#core.background.steps();
        await this.#core.hypervisor.stopVm(vm.id, { graceful: true });
        await this.#core.hypervisor.startVm(vm.id, plugsOf(this.#core, vm));
        vm.hostId = target.id;
        vm.status = "up";
      } catch (error) {
        isDown(vm);
        throw error;
      } finally {
        unlock();
      }
    };
  }

  async #attachIfPossible(vm: VmState, attachment: AttachmentState): Promise<void> {
    try {
      await this.#attachments.attach(vm.id, attachment);
    } catch (error) {
      this.#core.journal.event(eventCodes.vmImported, {
        description: `VM ${vm.name} was imported, but disk ${attachment.diskId} could not be attached: ${reasonOf(error)}`,
        severity: "warning",
        vmId: vm.id,
      });
    }
  }
}

function isDown(vm: VmState): void {
  vm.status = "down";
  delete vm.hostId;
}
