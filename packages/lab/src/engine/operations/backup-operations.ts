import { randomUUID } from "node:crypto";

import type { BackupDisk } from "../../hypervisor/hypervisor.ts";
import { attachmentOf, ownAttachments } from "../attachments.ts";
import { badRequest, conflict, incomplete, notFound } from "../engine-fault.ts";
import { reasonOf, type EngineCore } from "../engine-core.ts";
import type { BackupState, CheckpointState, DiskState, JobState, VmState } from "../engine-state.ts";
import { eventCodes } from "../event-codes.ts";
import { plugsOf } from "../plugs.ts";
import type { CheckpointOperations } from "./checkpoint-operations.ts";
import type { GuestOperations } from "./guest-operations.ts";

/** Body of `POST /vms/{id}/backups`. */
export interface BackupRequest {
  readonly id?: string | undefined;
  readonly description: string;
  readonly fromCheckpointId?: string | undefined;
  readonly diskIds: readonly string[];
  /** Fail when the guest's file systems cannot be frozen. */
  readonly requireConsistency: boolean;
  readonly correlationId: string;
}

/** The chain of checkpoints cannot be redefined: a full backup is needed. */
class BrokenChain extends Error {}

/** As the host says it. */
class UnfrozenGuest extends Error {}

/** How long a finished backup stays readable, in ms: 15 min after success, 30 min after failure. */
const RETENTION_MS = { succeeded: 15 * 60_000, failed: 30 * 60_000 } as const;
const MAX_DESCRIPTION = 1024;

/** Life of backups: initializing → starting → ready → finalizing → succeeded | failed. */
export class BackupOperations {
  readonly #core: EngineCore;
  readonly #checkpoints: CheckpointOperations;
  readonly #guests: GuestOperations;
  /** Exports of ready backups. They live as long as their QEMU process. */
  readonly #exports = new Map<string, readonly BackupDisk[]>();

  readonly #failing = new WeakSet<BackupState>();

  constructor(
    core: EngineCore,
    operations: { readonly checkpoints: CheckpointOperations; readonly guests: GuestOperations },
  ) {
    this.#core = core;
    this.#checkpoints = operations.checkpoints;
    this.#guests = operations.guests;
  }

  /** @throws EngineFault 404 when it does not exist or was cleaned up. */
  get(vmId: string, backupId: string): BackupState {
    const backup = this.list(vmId).find(({ id }) => id === backupId);
    if (backup === undefined) throw notFound();
    return backup;
  }

  list(vmId: string): readonly BackupState[] {
    this.#core.vm(vmId);
    const { backups } = this.#core.state;
    for (const backup of Object.values(backups)) {
      const keptMs = backup.phase === "succeeded" || backup.phase === "failed" ? RETENTION_MS[backup.phase] : Infinity;
      if (Date.parse(backup.modifiedAt) + keptMs < Date.now()) delete backups[backup.id];
    }
    return Object.values(backups).filter((backup) => backup.vmId === vmId);
  }

  /** The export of one disk of a ready backup. */
  exportOf(backupId: string, diskId: string): BackupDisk | undefined {
    return this.#exports.get(backupId)?.find((disk) => disk.diskId === diskId);
  }

  /** Answers at once with a backup that is initializing. */
  start(vmId: string, request: BackupRequest): BackupState {
    const vm = this.#core.vm(vmId);
    const disks = this.#validate(vm, request);
    const now = new Date().toISOString();
    const backup: BackupState = {
      id: (this.#core.behaviour.ownBackupId ? request.id : undefined) ?? randomUUID(),
      vmId,
      description: request.description,
      ...(request.fromCheckpointId === undefined ? {} : { fromCheckpointId: request.fromCheckpointId }),
      phase: "initializing",
      betweenPhases: false,
      disks: disks.map(({ id }) => ({ diskId: id, mode: "full" })),
      createdAt: now,
      modifiedAt: now,
    };
    this.#core.state.backups[backup.id] = backup;
    for (const disk of disks) disk.status = "locked";
    this.#core.runJob(`Backing up VM ${vm.name}`, request.correlationId, () =>
      this.#open(vm, backup, disks, request.requireConsistency),
    );
    return backup;
  }

  /**
   * Answers at once. Fails a backup that is not ready yet.
   * @throws EngineFault 409 while a transfer of the backup is not over, and when it was finalized before.
   */
  finalize(vmId: string, backupId: string, correlationId: string): JobState {
    const vm = this.#core.vm(vmId);
    const backup = this.get(vmId, backupId);
    const action = "stop VM backup";
    if (backup.phase === "finalizing" || backup.phase === "succeeded" || backup.phase === "failed") {
      throw conflict(`Cannot ${action}. The VM backup ${backupId} is not in progress.`);
    }
    if (backup.phase !== "ready") {
      return this.#core.runJob(`Finalizing backup of VM ${vm.name}`, correlationId, () =>
        this.#fail(vm, backup, "it was finalized before it was ready"),
      );
    }
    if (this.#core.openTransfers().some((transfer) => transfer.backupId === backupId)) {
      throw conflict(`Cannot ${action}. There are active image transfers for VM backup ${backupId}.`);
    }
    this.#enter(backup, "finalizing");
    return this.#core.runJob(`Finalizing backup of VM ${vm.name}`, correlationId, () => this.#close(vm, backup));
  }

  /** The machine stopped during its backup: fails the backup and drops its own checkpoint. */
  async machineStopped(vm: VmState): Promise<void> {
    const backup = this.#core.runningBackup(vm.id);
    if (backup !== undefined && backup.phase !== "finalizing")
      await this.#fail(vm, backup, `VM ${vm.name} was powered off`);
  }

  /** Called after a restart of the lab: no process serves these backups any more. */
  async failInterrupted(): Promise<void> {
    for (const backup of Object.values(this.#core.state.backups)) {
      const vm = this.#core.state.vms[backup.vmId];
      if (vm !== undefined && !isOver(backup)) await this.#fail(vm, backup, "the engine was stopped");
    }
  }

  #validate(vm: VmState, request: BackupRequest): readonly DiskState[] {
    const action = "start backup for VM";
    const { state } = this.#core;
    if (request.diskIds.length === 0) throw incomplete("Backup", "disks");
    if (request.description.length > MAX_DESCRIPTION) {
      throw badRequest(`Cannot ${action}. The description is longer than ${MAX_DESCRIPTION} characters.`);
    }
    if (request.id !== undefined && request.id in state.backups) {
      throw conflict(`Cannot ${action}. A backup with id ${request.id} already exists.`);
    }
    this.#core.requireFree(vm, action);
    if (vm.status !== "up" && vm.status !== "down") {
      throw conflict(`Cannot ${action}. The VM is neither up nor down.`);
    }
    const disks = request.diskIds.map((diskId) => {
      const disk = state.disks[diskId];
      if (disk === undefined || !ownAttachments(vm).some((attachment) => attachment.diskId === diskId)) {
        throw badRequest(`Cannot ${action}. The following disks do not belong to the VM: ${diskId}.`);
      }
      if (!attachmentOf(vm, diskId).active) throw conflict(`Cannot ${action}. Disk ${disk.alias} is not plugged.`);
      return disk;
    });
    this.#core.requireOk(disks, action);
    this.#requireCheckpoint(vm, request.fromCheckpointId);
    return disks;
  }

  #requireCheckpoint(vm: VmState, checkpointId: string | undefined): void {
    if (checkpointId === undefined) return;
    const checkpoint = vm.checkpoints.find(({ id }) => id === checkpointId);
    if (checkpoint === undefined) {
      throw badRequest(`Cannot start backup for VM. The checkpoint ${checkpointId} does not exist.`);
    }
    if (checkpoint.state === "invalid") {
      throw badRequest(`Cannot start backup for VM. The checkpoint ${checkpointId} is invalid.`);
    }
  }

  async #open(
    vm: VmState,
    backup: BackupState,
    disks: readonly DiskState[],
    requireConsistency: boolean,
  ): Promise<void> {
    const { background, hypervisor, journal } = this.#core;
    try {
      await background.steps();
      journal.event(eventCodes.backupStarted, {
        description: `Backup ${backup.id} for VM ${vm.name} started (User: admin@internal-authz).`,
        vmId: vm.id,
      });
      await this.#innerStage(backup);
      if (isOver(backup)) return;
      this.#enter(backup, "starting");
      await background.steps();
      if (isOver(backup)) return;
      await this.#strikeCheckpoints(vm);
      await this.#redefineChain(vm, backup);
      const tracked = disks.filter((disk) => disk.backup === "incremental" && disk.format === "cow");
      const toCheckpointId = tracked.length > 0 ? randomUUID() : undefined;
      const unfrozen = (reason: string): void => {
        if (requireConsistency) throw new UnfrozenGuest(`Failed freeze VM: ${reason}`);
      };
      const opened = await this.#guests.quiesced(vm, unfrozen, () =>
        hypervisor.startBackup({
          backupId: backup.id,
          vmId: vm.id,
          disks: disks.map((disk) => ({
            diskId: disk.id,
            ...(tracked.includes(disk) && toCheckpointId !== undefined ? { toCheckpointId } : {}),
            ...(tracked.includes(disk) && backup.fromCheckpointId !== undefined
              ? { fromCheckpointId: backup.fromCheckpointId }
              : {}),
          })),
        }),
      );
      if (toCheckpointId !== undefined) {
        vm.checkpoints.push(newCheckpoint(vm, toCheckpointId, backup, tracked));
        backup.toCheckpointId = toCheckpointId;
      }
      if (isOver(backup)) return await this.#undo(vm, backup);
      this.#exports.set(backup.id, opened);
      for (const disk of backup.disks) disk.mode = opened.find(({ diskId }) => diskId === disk.diskId)?.mode ?? "full";
      this.#enter(backup, "ready");
    } catch (error) {
      if (background.stopping) throw error;
      if (error instanceof BrokenChain) {
        journal.event(eventCodes.incrementalImpossible, {
          description: `Failed to redefine the checkpoints of VM ${vm.name} for backup ${backup.id}. A full backup is needed.`,
          severity: "error",
          vmId: vm.id,
        });
        await this.#checkpoints.removeAll(vm);
      }
      await this.#fail(vm, backup, reasonOf(error));
    }
  }

  async #close(vm: VmState, backup: BackupState): Promise<void> {
    const { background, journal } = this.#core;
    await background.steps();
    await this.#core.hang("finalize-hang");
    if (isOver(backup)) return;
    try {
      await this.#release(backup);
    } catch (error) {
      journal.event(eventCodes.backupFinalizeFailed, {
        description: `Failed to finalize backup ${backup.id} of VM ${vm.name}: ${reasonOf(error)}.`,
        severity: "error",
        vmId: vm.id,
      });
      return this.#fail(vm, backup, reasonOf(error));
    }
    journal.event(eventCodes.backupFinalized, {
      description: `Backup ${backup.id} for VM ${vm.name} finalized.`,
      vmId: vm.id,
    });
    await this.#finish(backup, "succeeded");
    journal.event(eventCodes.backupSucceeded, {
      description: `Backup ${backup.id} for VM ${vm.name} completed successfully.`,
      vmId: vm.id,
    });
  }

  async #fail(vm: VmState, backup: BackupState, reason: string): Promise<void> {
    if (isOver(backup) || this.#failing.has(backup)) return;
    this.#failing.add(backup);
    this.#enter(backup, "finalizing");
    await this.#undo(vm, backup);
    this.#core.journal.event(eventCodes.backupFailed, {
      description: `Backup ${backup.id} for VM ${vm.name} failed: ${reason}.`,
      severity: "error",
      vmId: vm.id,
    });
    await this.#finish(backup, "failed");
  }

  async #undo(vm: VmState, backup: BackupState): Promise<void> {
    await this.#release(backup);
    const own = vm.checkpoints.find(({ id }) => id === backup.toCheckpointId);
    if (own !== undefined) await this.#checkpoints.discard(vm, own);
  }

  async #release(backup: BackupState): Promise<void> {
    this.#exports.delete(backup.id);
    await this.#core.hypervisor.stopBackup(backup.id);
    for (const { diskId } of backup.disks) {
      const disk = this.#core.state.disks[diskId];
      if (disk !== undefined) disk.status = "ok";
    }
  }

  async #finish(backup: BackupState, phase: "succeeded" | "failed"): Promise<void> {
    const { behaviour, background, state, store } = this.#core;
    if (!behaviour.finalPhases && !background.stopping) await this.#innerStage(backup);
    this.#enter(backup, phase);
    if (!behaviour.finalPhases) delete state.backups[backup.id];
    store.changed();
  }

  /** Spends a step in a stage that old engines show without a phase. */
  async #innerStage(backup: BackupState): Promise<void> {
    if (!this.#core.behaviour.phaseGaps) return;
    backup.betweenPhases = true;
    await this.#core.background.steps();
    backup.betweenPhases = false;
  }

  #enter(backup: BackupState, phase: BackupState["phase"]): void {
    backup.phase = phase;
    backup.modifiedAt = new Date().toISOString();
    this.#core.store.changed();
  }

  /** Applies the faults that destroy bitmaps behind the engine's back. */
  async #strikeCheckpoints(vm: VmState): Promise<void> {
    const { faults, hypervisor } = this.#core;
    if (vm.checkpoints.length === 0) return;
    if (faults.strikes("lost-checkpoint")) {
      for (const { id, diskIds } of vm.checkpoints) await hypervisor.removeCheckpoint(diskIds, id);
    }
    if (faults.strikes("inconsistent-bitmap")) {
      const release = this.#core.lock(vm, "breaking bitmaps");
      await hypervisor.stopVm(vm.id, { graceful: true });
      for (const diskId of new Set(vm.checkpoints.flatMap(({ diskIds }) => diskIds))) {
        await hypervisor.breakCheckpoints(diskId);
      }
      if (vm.status === "up") await hypervisor.startVm(vm.id, plugsOf(this.#core, vm));
      release();
    }
  }

  /** Requires every bitmap from the base of the increment on. */
  async #redefineChain(vm: VmState, backup: BackupState): Promise<void> {
    if (backup.fromCheckpointId === undefined) return;
    const base = vm.checkpoints.findIndex(({ id }) => id === backup.fromCheckpointId);
    const attached = new Set(ownAttachments(vm).map(({ diskId }) => diskId));
    for (const { id, diskIds } of vm.checkpoints.slice(base)) {
      for (const diskId of diskIds.filter((candidate) => attached.has(candidate))) {
        const state = await this.#core.hypervisor.checkpointState(diskId, id);
        if (state !== "ok") throw new BrokenChain(`the bitmap of checkpoint ${id} in disk ${diskId} is ${state}`);
      }
    }
  }
}

function isOver(backup: BackupState): boolean {
  return backup.phase === "succeeded" || backup.phase === "failed";
}

function newCheckpoint(vm: VmState, id: string, backup: BackupState, disks: readonly DiskState[]): CheckpointState {
  return {
    id,
    parentId: vm.checkpoints.at(-1)?.id,
    createdAt: new Date().toISOString(),
    description: backup.description,
    diskIds: disks.map((disk) => disk.id),
    state: "created",
  };
}
