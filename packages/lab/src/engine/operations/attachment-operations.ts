import { attachmentOf, forgetAttachment } from "../attachments.ts";
import { reasonOf, type EngineCore } from "../engine-core.ts";
import { badRequest, conflict } from "../engine-fault.ts";
import type { AttachmentState, DiskState, VmState } from "../engine-state.ts";
import { eventCodes } from "../event-codes.ts";
import { dataCenterOf, known } from "../inventory.ts";
import { plugOf } from "../plugs.ts";
import { setting } from "../vm-settings.ts";
import type { DiskOperations, DiskRequest } from "./disk-operations.ts";

/** Steps that an engine waits for the guest to release a disk before it refuses to detach it. */
const DETACH_PATIENCE_STEPS = 20;

/** Life of attachments: made, plugged and unplugged, removed. */
export class AttachmentOperations {
  readonly #core: EngineCore;
  readonly #disks: DiskOperations;
  readonly #unplugging = new Map<AttachmentState, Promise<void>>();

  constructor(core: EngineCore, disks: DiskOperations) {
    this.#core = core;
    this.#disks = disks;
  }

  /** Attaches a disk, or its state in a snapshot of another machine; hot when the machine is up. */
  async attach(vmId: string, attachment: AttachmentState): Promise<void> {
    const vm = this.#core.vm(vmId);
    const disk = this.#core.disk(attachment.diskId);
    const action = "attach Virtual Disk";
    this.#core.requireFree(vm, action);
    this.#core.requireOk([disk], action);
    if (vm.attachments.some(({ diskId }) => diskId === disk.id)) {
      throw conflict(`Cannot ${action}: The disk ${disk.alias} is already attached to VM ${vm.name}.`);
    }
    const { inventory } = this.#core.state;
    const domain = known(inventory.storageDomains, disk.storageDomainId);
    if (domain.dataCenterId !== dataCenterOf(inventory, vm.clusterId).id) {
      throw conflict(`Cannot ${action}. The target Data Center does not contain the Virtual Disk.`);
    }
    if (attachment.snapshotId !== undefined) this.#requireSnapshot(vm, disk, attachment.snapshotId);
    else if (this.#core.vmsOf(disk.id).length > 0 && !disk.shareable) {
      throw conflict(`Cannot ${action}: The disk ${disk.alias} is already attached to VM.`);
    }
    requireController(vm, attachment, action);
    vm.attachments.push(attachment);
    this.#core.store.changed();
    try {
      if (attachment.active) await this.#plug(vm, attachment);
    } catch (error) {
      this.#forget(vm, disk.id);
      throw conflict(`Cannot ${action}. Failed to hot plug disk ${disk.alias} to VM ${vm.name}: ${reasonOf(error)}`);
    }
  }

  /** Makes a disk that is attached from the beginning and plugged as soon as it exists. */
  attachNew(vmId: string, request: DiskRequest, attachment: Omit<AttachmentState, "diskId">): AttachmentState {
    const vm = this.#core.vm(vmId);
    const action = "add Virtual Disk";
    this.#core.requireFree(vm, action);
    requireController(vm, attachment, action);
    const disk = this.#disks.create(request, async (made) => {
      try {
        if (made && attached.active) await this.#plug(vm, attached);
        if (!made) this.#forget(vm, disk.id);
      } catch (error) {
        this.#forget(vm, disk.id);
        this.#disks.drop(disk);
        this.#failed(vm, `Failed to add disk ${disk.alias} to VM ${vm.name}: ${reasonOf(error)}`);
      }
    });
    const attached: AttachmentState = { ...attachment, diskId: disk.id };
    vm.attachments.push(attached);
    this.#core.store.changed();
    return attached;
  }

  /**
   * Hot plugs, or begins to unplug: a disk stays active while a process in the guest has its device open.
   * @throws EngineFault 409 while it is being unplugged
   */
  async setActive(vmId: string, diskId: string, active: boolean): Promise<void> {
    const vm = this.#core.vm(vmId);
    const attachment = attachmentOf(vm, diskId);
    if (attachment.active === active && !this.#unplugging.has(attachment)) return;
    this.#requireSettled(vm, attachment, active ? "plug disk" : "unplug disk");
    if (vm.status !== "up") this.#mark(attachment, active);
    else if (active) {
      await this.#plug(vm, attachment);
      this.#mark(attachment, true);
    } else this.#core.background.start(() => this.#unplug(vm, attachment));
  }

  /**
   * Detaches, unplugging first; `keep` false removes the disk as well, unless the attachment is only a snapshot of it.
   */
  async detach(vmId: string, diskId: string, options: { readonly keep: boolean }): Promise<void> {
    const vm = this.#core.vm(vmId);
    const attachment = attachmentOf(vm, diskId);
    const disk = this.#core.disk(diskId);
    const action = "detach Virtual Disk";
    this.#requireSettled(vm, attachment, action);
    if (attachment.snapshotId === undefined) this.#core.requireOk([disk], action);
    else if (!options.keep) this.#refuseToRemove(vm, disk);
    if (this.#core.faults.strikes("detach-failure")) {
      throw conflict(`Cannot ${action}. The disk ${disk.alias} could not be detached from VM ${vm.name}.`);
    }
    if (vm.status === "up" && attachment.active) await this.#unplugSoon(vm, attachment, action);
    this.#mark(attachment, false);
    if (!options.keep) return this.#disks.remove(diskId);
    this.#forget(vm, diskId);
  }

  #requireSnapshot(vm: VmState, disk: DiskState, snapshotId: string): void {
    const action = "attach Virtual Disk";
    const found = this.#core.snapshot(snapshotId);
    if (found === undefined) throw badRequest(`Cannot ${action}. The snapshot ${snapshotId} is no regular snapshot.`);
    if (found.snapshot.status !== "ok") throw conflict(`Cannot ${action}. The snapshot is ${found.snapshot.status}.`);
    if (!found.snapshot.volumes.some(({ diskId }) => diskId === disk.id)) {
      throw badRequest(`Cannot ${action}. The disk ${disk.alias} is not part of the snapshot.`);
    }
    if (vm.status !== "up" && vm.status !== "down") throw conflict(`Cannot ${action}. The VM is ${vm.status}.`);
  }

  #requireSettled(vm: VmState, attachment: AttachmentState, action: string): void {
    this.#core.requireFree(vm, action);
    if (this.#unplugging.has(attachment)) throw conflict(`Cannot ${action}. The disk is being unplugged.`);
  }

  /** A snapshot that is attached elsewhere protects the disk: the engine removes neither. */
  #refuseToRemove(vm: VmState, disk: DiskState): void {
    const refusal = `Cannot remove Virtual Disk: A snapshot of disk ${disk.alias} is attached to VM ${vm.name}.`;
    this.#failed(vm, refusal);
    throw conflict(refusal);
  }

  async #plug(vm: VmState, attachment: AttachmentState): Promise<void> {
    if (vm.status !== "up") return;
    if (this.#core.faults.strikes("attach-failure")) throw new Error("the host could not plug it");
    await this.#core.hypervisor.plugDisk(vm.id, plugOf(this.#core, vm, attachment));
  }

  #unplug(vm: VmState, attachment: AttachmentState): Promise<void> {
    const { background, hypervisor } = this.#core;
    const unplugging = (async () => {
      try {
        await background.steps();
        await this.#core.hang("unplug-hang");
        await hypervisor.unplugDisk(vm.id, attachment.diskId, background.signal);
        this.#mark(attachment, false);
      } finally {
        this.#unplugging.delete(attachment);
      }
    })();
    this.#unplugging.set(attachment, unplugging);
    return unplugging;
  }

  /** @throws EngineFault 409 when the guest does not release the disk in time; the unplugging goes on */
  async #unplugSoon(vm: VmState, attachment: AttachmentState, action: string): Promise<void> {
    const unplugging = this.#unplug(vm, attachment);
    this.#core.background.start(() => unplugging);
    await Promise.race([unplugging, this.#core.background.steps(DETACH_PATIENCE_STEPS)]);
    if (attachment.active) throw conflict(`Cannot ${action}. The guest of VM ${vm.name} still uses it.`);
  }

  #mark(attachment: AttachmentState, active: boolean): void {
    attachment.active = active;
    this.#core.store.changed();
  }

  #forget(vm: VmState, diskId: string): void {
    forgetAttachment(vm, diskId);
    this.#core.store.changed();
  }

  #failed(vm: VmState, description: string): void {
    this.#core.journal.event(eventCodes.diskFailed, { description, severity: "error", vmId: vm.id });
  }
}

function requireController(vm: VmState, attachment: Pick<AttachmentState, "interface">, action: string): void {
  if (attachment.interface !== "virtio_scsi" || setting(vm.settings, "virtio_scsi.enabled") === "true") return;
  throw conflict(`Cannot ${action}. VirtIO-SCSI is disabled for the VM.`);
}
