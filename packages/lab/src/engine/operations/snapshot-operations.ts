import { randomUUID } from "node:crypto";

import { ownAttachments } from "../attachments.ts";
import { badRequest, conflict, notFound } from "../engine-fault.ts";
import type { EngineCore } from "../engine-core.ts";
import type { DiskState, SnapshotState, VmState } from "../engine-state.ts";
import { eventCodes } from "../event-codes.ts";
import { writeOvf } from "../ovf/write-ovf.ts";
import type { GuestOperations } from "./guest-operations.ts";

/** Body of `POST /vms/{id}/snapshots`. */
export interface SnapshotRequest {
  readonly description: string;
  /** Whether to save the memory of a running machine; the lab only records the flag. */
  readonly memory: boolean;
  /** Absent: all disks of the machine. */
  readonly diskIds?: readonly string[] | undefined;
  readonly correlationId: string;
}

/** Life of snapshots: locked → ok, and locked → gone. */
export class SnapshotOperations {
  readonly #core: EngineCore;
  readonly #guests: GuestOperations;

  /** Disks that the fault of that name has struck. */
  readonly #illegal = new Set<DiskState>();

  constructor(core: EngineCore, guests: GuestOperations) {
    this.#core = core;
    this.#guests = guests;
    core.faults.onSet((name, mode) => {
      if (name === "illegal-disk" && mode === "off") this.#mendDisks();
    });
  }

  /** @throws EngineFault 404 */
  get(vmId: string, snapshotId: string): SnapshotState {
    const snapshot = this.#core.vm(vmId).snapshots.find(({ id }) => id === snapshotId);
    if (snapshot === undefined) throw notFound();
    return snapshot;
  }

  /** Answers at once with a locked snapshot, which vanishes on failure. */
  create(vmId: string, request: SnapshotRequest): SnapshotState {
    const vm = this.#core.vm(vmId);
    const action = "create Snapshot";
    this.#core.requireFree(vm, action);
    if (vm.status !== "up" && vm.status !== "down") throw conflict(`Cannot ${action}. The VM is ${vm.status}.`);
    const attached = ownAttachments(vm).map(({ diskId }) => diskId);
    const chosen = request.diskIds ?? attached;
    if (chosen.some((diskId) => !attached.includes(diskId))) {
      throw badRequest(`Cannot ${action}. A disk is not attached to the VM.`);
    }
    const disks = chosen.map((diskId) => this.#core.disk(diskId)).filter((disk) => !disk.shareable);
    this.#core.requireOk(disks, action);
    const snapshot = this.#announce(vm, request.description, request.memory && vm.status === "up");
    this.#locked(vm, disks, request.correlationId, `Creating VM Snapshot ${snapshot.description}`, async () => {
      try {
        await this.#core.hang("snapshot-hang");
        if (this.#core.faults.strikes("snapshot-failure")) throw new Error("the host could not make the snapshot");
        await this.#guests.quiesced(
          vm,
          () => this.#warnOfInconsistency(vm, request.correlationId),
          () => this.#take(disks, snapshot),
        );
        this.#event(vm, eventCodes.snapshotCreated, `Snapshot '${snapshot.description}' creation has been completed.`);
      } catch (error) {
        vm.snapshots.splice(vm.snapshots.indexOf(snapshot), 1);
        this.#event(vm, eventCodes.snapshotFailed, `Failed to complete snapshot '${snapshot.description}' creation.`);
        throw error;
      }
    });
    return snapshot;
  }

  /** Answers at once; the snapshot stays locked until its volumes are merged. */
  remove(vmId: string, snapshotId: string, correlationId: string): void {
    const vm = this.#core.vm(vmId);
    const action = "remove Snapshot";
    if (snapshotId === vm.activeSnapshotId) throw badRequest(`Cannot ${action}. Snapshot type ACTIVE is not allowed.`);
    const snapshot = this.get(vmId, snapshotId);
    this.#core.requireFree(vm, action);
    const disks = snapshot.volumes
      .map(({ diskId }) => this.#core.state.disks[diskId])
      .filter((disk) => disk !== undefined);
    this.#core.requireOk(disks, action);
    // The merge changes volumes that lie below the newer snapshots.
    this.#core.requireNotAttachedElsewhere(vm.snapshots.slice(vm.snapshots.indexOf(snapshot)), action);
    snapshot.status = "locked";
    this.#locked(vm, disks, correlationId, `Removing Snapshot ${snapshot.description}`, async () => {
      try {
        await this.#core.hang("snapshot-removal-hang");
        if (this.#mergeFails()) throw new Error("the host could not merge");
        for (const { diskId, volumeId } of snapshot.volumes) await this.#merge(vm, diskId, volumeId);
        vm.snapshots.splice(vm.snapshots.indexOf(snapshot), 1);
        this.#event(vm, eventCodes.snapshotRemoved, `Snapshot '${snapshot.description}' deletion has been completed.`);
      } catch (error) {
        snapshot.status = "ok";
        if (this.#core.faults.mode("illegal-disk") !== "off") for (const disk of disks) this.#illegal.add(disk);
        const description = `Failed to delete snapshot '${snapshot.description}' for VM '${vm.name}'.`;
        const { snapshotNotRemoved } = eventCodes;
        this.#core.journal.event(snapshotNotRemoved, { description, severity: "error", vmId: vm.id });
        throw error;
      }
    });
  }

  /** A snapshot for an operation that holds the machine's lock and has locked the disks. */
  async takeNow(vm: VmState, disks: readonly DiskState[], description: string): Promise<SnapshotState> {
    const snapshot = this.#announce(vm, description, false);
    try {
      await this.#take(disks, snapshot);
      return snapshot;
    } catch (error) {
      vm.snapshots.splice(vm.snapshots.indexOf(snapshot), 1);
      throw error;
    }
  }

  /** Removes a snapshot for an operation that holds the machine's lock and has locked the disks. */
  async removeNow(vm: VmState, snapshot: SnapshotState): Promise<void> {
    snapshot.status = "locked";
    try {
      if (this.#mergeFails()) throw new Error("the host could not merge");
      for (const { diskId, volumeId } of snapshot.volumes) await this.#merge(vm, diskId, volumeId);
      vm.snapshots.splice(vm.snapshots.indexOf(snapshot), 1);
    } finally {
      snapshot.status = "ok";
    }
  }

  #announce(vm: VmState, description: string, memory: boolean): SnapshotState {
    const snapshot: SnapshotState = {
      id: randomUUID(),
      description,
      createdAt: new Date().toISOString(),
      status: "locked",
      memory,
      volumes: [],
      ovf: writeOvf(vm, this.#core.state),
    };
    vm.snapshots.push(snapshot);
    this.#core.store.changed();
    return snapshot;
  }

  #mergeFails(): boolean {
    return this.#core.faults.strikes("snapshot-removal-failure") || this.#core.faults.mode("illegal-disk") !== "off";
  }

  #mendDisks(): void {
    for (const disk of this.#illegal) if (disk.status === "illegal") disk.status = "ok";
    this.#illegal.clear();
    this.#core.store.changed();
  }

  /** Warns only: the engine goes on by default. */
  #warnOfInconsistency(vm: VmState, correlationId: string): void {
    this.#core.journal.event(eventCodes.snapshotUnfrozen, {
      description: `Failed to freeze guest filesystems on VM ${vm.name}. Note that using the created snapshot might cause data inconsistency.`,
      severity: "warning",
      vmId: vm.id,
      correlationId,
    });
  }

  async #take(disks: readonly DiskState[], snapshot: SnapshotState): Promise<void> {
    const layers = disks.map((disk) => ({ disk, newVolumeId: randomUUID() }));
    await this.#core.hypervisor.createSnapshot(
      layers.map(({ disk, newVolumeId }) => ({ diskId: disk.id, newVolumeId })),
    );
    for (const { disk, newVolumeId } of layers) {
      snapshot.volumes.push({ diskId: disk.id, volumeId: disk.imageId });
      disk.imageId = newVolumeId;
    }
    snapshot.status = "ok";
  }

  /** Merges the volume above down; its owner owns the snapshot's volume from then on. */
  async #merge(vm: VmState, diskId: string, volumeId: string): Promise<void> {
    const disk = this.#core.state.disks[diskId];
    if (disk === undefined) return;
    const chain = (await this.#core.hypervisor.diskInfo(diskId)).chain.map((volume) => volume.volumeId);
    const above = chain[chain.indexOf(volumeId) + 1];
    await this.#core.hypervisor.removeSnapshot(diskId, volumeId);
    if (above === disk.imageId) disk.imageId = volumeId;
    for (const volume of vm.snapshots.flatMap((snapshot) => snapshot.volumes)) {
      if (volume.diskId === diskId && volume.volumeId === above) volume.volumeId = volumeId;
    }
  }

  #locked(
    vm: VmState,
    disks: readonly DiskState[],
    correlationId: string,
    description: string,
    work: () => Promise<void>,
  ): void {
    const release = this.#core.lock(vm, description);
    for (const disk of disks) disk.status = "locked";
    this.#core.runJob(description, correlationId, async () => {
      try {
        await this.#core.background.steps();
        await work();
      } finally {
        for (const disk of disks) disk.status = this.#illegal.has(disk) ? "illegal" : "ok";
        release();
      }
    });
  }

  #event(vm: VmState, code: number, description: string): void {
    this.#core.journal.event(code, { description, vmId: vm.id });
  }
}
