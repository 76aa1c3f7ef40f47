import { randomUUID } from "node:crypto";

import type { DiskFormat } from "@ovault/contract";

import { badRequest, conflict, incomplete, notFound } from "../engine-fault.ts";
import { reasonOf, type EngineCore } from "../engine-core.ts";
import type { DiskState, TransferPhase, TransferState } from "../engine-state.ts";
import { eventCodes } from "../event-codes.ts";
import type { BackupOperations } from "./backup-operations.ts";
import type { DiskOperations } from "./disk-operations.ts";
import { TransferTickets } from "./transfer-tickets.ts";

/** Body of `POST /imagetransfers`. */
export interface TransferRequest {
  readonly diskId?: string | undefined;
  /** Id of a disk snapshot, which is the id of its volume. */
  readonly volumeId?: string | undefined;
  readonly backupId?: string | undefined;
  readonly direction: "upload" | "download";
  readonly format?: DiskFormat | undefined;
  readonly shallow: boolean;
  readonly inactivitySeconds: number;
  readonly timeoutPolicy: TransferState["timeoutPolicy"];
}

/** How long a finished transfer stays readable, in ms: 15 min after success, 30 min after failure. */
const RETENTION_MS = { finished_success: 15 * 60_000, finished_failure: 30 * 60_000 } as const;
/** Idle seconds after which the engine itself finalizes a download that got every byte. */
const COMPLETE_IDLE_SECONDS = 2;

/** Life of image transfers, from initializing to finished_success or finished_failure. */
export class TransferOperations {
  readonly #core: EngineCore;
  readonly #disks: DiskOperations;
  readonly #tickets: TransferTickets;
  readonly #onTransferring: (transfer: TransferState) => void;

  constructor(
    core: EngineCore,
    operations: {
      readonly disks: DiskOperations;
      readonly backups: BackupOperations;
      readonly onTransferring: (transfer: TransferState) => void;
    },
  ) {
    this.#core = core;
    this.#disks = operations.disks;
    this.#onTransferring = operations.onTransferring;
    this.#tickets = new TransferTickets(core, operations.backups);
  }

  list(): readonly TransferState[] {
    const { transfers } = this.#core.state;
    for (const transfer of Object.values(transfers)) {
      const { phase } = transfer;
      const keptMs = phase === "finished_success" || phase === "finished_failure" ? RETENTION_MS[phase] : Infinity;
      if (Date.parse(transfer.modifiedAt) + keptMs < Date.now()) delete transfers[transfer.id];
    }
    return Object.values(transfers);
  }

  /** @throws EngineFault 404 when it does not exist or was cleaned up. */
  get(id: string): TransferState {
    const transfer = this.list().find((candidate) => candidate.id === id);
    if (transfer === undefined) throw notFound();
    return transfer;
  }

  /** URL of the data; `undefined` unless data can be transferred now. */
  url(transfer: TransferState): string | undefined {
    const { phase, ticketId } = transfer;
    return phase !== "transferring" || ticketId === undefined ? undefined : this.#core.imageio.transferUrl(ticketId);
  }

  /** Answers at once with a transfer that is initializing. */
  create(request: TransferRequest): TransferState {
    const disk = this.#diskOf(request);
    this.#validate(request, disk);
    const now = new Date().toISOString();
    const transfer: TransferState = {
      id: randomUUID(),
      diskId: disk.id,
      ...(request.volumeId === undefined ? {} : { volumeId: request.volumeId }),
      ...(request.backupId === undefined ? {} : { backupId: request.backupId }),
      direction: request.direction,
      ...(request.format === undefined || !this.#core.behaviour.transferFormat ? {} : { format: request.format }),
      shallow: request.shallow && this.#core.behaviour.shallow,
      inactivitySeconds: request.inactivitySeconds,
      timeoutPolicy: this.#core.behaviour.timeoutPolicy ? request.timeoutPolicy : "legacy",
      phase: "initializing",
      sizeBytes: disk.provisionedBytes,
      transferredBytes: 0,
      active: false,
      extendedAt: now,
      modifiedAt: now,
    };
    this.#core.state.transfers[transfer.id] = transfer;
    disk.status = "locked";
    this.#core.store.changed();
    this.#core.journal.event(eventCodes.transferStarted, {
      description: `Image ${transfer.direction === "upload" ? "Upload" : "Download"} with disk ${disk.alias} was initiated (transfer ${transfer.id}).`,
    });
    this.#core.background.start(() => this.#serve(transfer));
    return transfer;
  }

  async extend(id: string): Promise<void> {
    const transfer = this.get(id);
    transfer.extendedAt = new Date().toISOString();
    await this.#tickets.extend(transfer);
  }

  /** @throws EngineFault 400 for a download. */
  async pause(id: string): Promise<void> {
    const transfer = this.get(id);
    if (transfer.direction === "download") throw badRequest("Cannot pause image transfer. Downloads cannot be paused.");
    this.#requirePhase(transfer, "pause", ["transferring", "initializing", "resuming"]);
    await this.#pause(transfer, "paused_user");
  }

  /** @throws EngineFault 409 unless the transfer is paused. */
  resume(id: string): void {
    const transfer = this.get(id);
    this.#requirePhase(transfer, "resume", ["paused_user", "paused_system"]);
    transfer.extendedAt = new Date().toISOString();
    this.#enter(transfer, "resuming");
    this.#core.background.start(() => this.#serve(transfer));
  }

  /** Answers at once; removes an upload's disk. */
  cancel(id: string): void {
    const transfer = this.get(id);
    this.#requirePhase(transfer, "cancel", [
      "initializing",
      "transferring",
      "resuming",
      "paused_user",
      "paused_system",
    ]);
    this.#cancel(transfer, "cancelled_user");
  }

  /** Answers at once; poll the phase. */
  finalize(id: string): void {
    const transfer = this.get(id);
    this.#requirePhase(transfer, "finalize", ["transferring", "paused_user", "paused_system", "resuming"]);
    this.#finalize(transfer);
  }

  /** Called after a restart of the lab: no export serves these transfers any more. */
  async failInterrupted(): Promise<void> {
    for (const transfer of this.#core.openTransfers()) {
      await this.#tickets.abandon(transfer);
      await this.#finish(transfer, "finished_failure");
    }
  }

  #diskOf(request: TransferRequest): DiskState {
    const { volumeId } = request;
    if (volumeId !== undefined) {
      const owner = Object.values(this.#core.state.vms)
        .flatMap((vm) => vm.snapshots)
        .flatMap((snapshot) => snapshot.volumes)
        .find((volume) => volume.volumeId === volumeId);
      if (owner === undefined) throw notFound();
      return this.#core.disk(owner.diskId);
    }
    if (request.diskId === undefined) throw incomplete("ImageTransfer", "disk|image|snapshot");
    return this.#core.disk(request.diskId);
  }

  #validate(request: TransferRequest, disk: DiskState): void {
    const action = "transfer image";
    if (this.#core.openTransfers().some((transfer) => transfer.diskId === disk.id)) {
      throw conflict(`Cannot ${action}. The disk ${disk.alias} is being transferred already.`);
    }
    if (request.backupId !== undefined) return this.#validateBackup(request, disk, request.backupId);
    this.#core.requireOk([disk], action);
    const running = this.#core.vmsOf(disk.id).find((vm) => vm.status !== "down");
    if (running !== undefined && request.volumeId === undefined) {
      throw conflict(`Cannot ${action}: The disk ${disk.alias} is in use by running VM ${running.name}.`);
    }
    if (request.volumeId !== undefined && request.direction === "upload") {
      throw badRequest(`Cannot ${action}. A snapshot cannot be uploaded to.`);
    }
  }

  #validateBackup(request: TransferRequest, disk: DiskState, backupId: string): void {
    const action = "download disk of a backup";
    const backup = this.#core.state.backups[backupId];
    if (backup === undefined) throw notFound();
    if (!backup.disks.some(({ diskId }) => diskId === disk.id)) {
      throw badRequest(`Cannot ${action}. The disk ${disk.alias} is not part of VM backup ${backupId}.`);
    }
    if (request.direction !== "download") throw badRequest(`Cannot ${action}. Only downloads are possible.`);
    if (request.format !== "raw") throw badRequest(`Cannot ${action}. Only RAW format is supported.`);
    if (backup.phase !== "ready") throw conflict(`Cannot ${action}. VM backup ${backupId} is not ready.`);
  }

  #requirePhase(transfer: TransferState, action: string, phases: readonly TransferPhase[]): void {
    if (phases.includes(transfer.phase)) return;
    throw conflict(`Cannot ${action} image transfer. The transfer is in phase ${transfer.phase}.`);
  }

  /** Makes the ticket, then watches it until the transfer leaves `transferring`. */
  async #serve(transfer: TransferState): Promise<void> {
    const { background, faults } = this.#core;
    const starting = transfer.phase;
    await background.steps();
    if (transfer.phase !== starting) return;
    try {
      await this.#tickets.open(transfer);
    } catch (error) {
      if (background.stopping) throw error;
      this.#core.journal.event(eventCodes.transferFailed, { description: reasonOf(error), severity: "error" });
      return this.#cancel(transfer, "cancelled_system");
    }
    if (transfer.phase !== starting) return this.#tickets.close(transfer);
    this.#enter(transfer, "transferring");
    if (transfer.direction === "upload" && faults.strikes("transfer-paused-system")) {
      return this.#pause(transfer, "paused_system");
    }
    this.#onTransferring(transfer);
    await this.#watch(transfer);
  }

  async #watch(transfer: TransferState): Promise<void> {
    while (transfer.phase === "transferring") {
      await this.#core.background.steps();
      if (transfer.phase !== "transferring") return;
      const idleSeconds = await this.#tickets.refresh(transfer).catch(() => undefined);
      if (transfer.phase !== "transferring") return;
      if (idleSeconds === undefined) return this.#stopBySystem(transfer, "its ticket is missing");
      const complete = transfer.direction === "download" && transfer.transferredBytes >= transfer.sizeBytes;
      if (complete && idleSeconds >= COMPLETE_IDLE_SECONDS) return this.#finalize(transfer);
      if (transfer.inactivitySeconds > 0 && idleSeconds > transfer.inactivitySeconds) {
        return this.#stopBySystem(transfer, `no activity for ${transfer.inactivitySeconds} seconds`);
      }
    }
  }

  async #stopBySystem(transfer: TransferState, reason: string): Promise<void> {
    this.#core.journal.event(eventCodes.transferInactive, {
      description: `Transfer ${transfer.id} was stopped by the system: ${reason}.`,
      severity: "warning",
    });
    const pause = transfer.direction === "upload" && transfer.timeoutPolicy !== "cancel";
    if (pause) await this.#pause(transfer, "paused_system");
    else this.#cancel(transfer, "cancelled_system");
  }

  async #pause(transfer: TransferState, phase: "paused_user" | "paused_system"): Promise<void> {
    this.#enter(transfer, phase);
    await this.#tickets.close(transfer);
  }

  #finalize(transfer: TransferState): void {
    this.#enter(transfer, "finalizing_success");
    this.#core.background.start(async () => {
      await this.#core.background.steps();
      await this.#core.hang("finalize-hang");
      await this.#tickets.close(transfer);
      if (transfer.direction === "upload" && !(await this.#acceptUpload(transfer))) {
        this.#enter(transfer, "finalizing_failure");
        await this.#core.background.steps();
        return this.#finish(transfer, "finished_failure");
      }
      await this.#finish(transfer, "finished_success");
    });
  }

  /** Checks the uploaded image, as an engine does. */
  async #acceptUpload(transfer: TransferState): Promise<boolean> {
    if (this.#core.faults.strikes("upload-failure")) return false;
    const disk = this.#core.state.disks[transfer.diskId];
    if (disk === undefined) return false;
    try {
      const info = await this.#core.hypervisor.diskInfo(disk.id);
      return info.format === disk.format && info.virtualBytes === disk.provisionedBytes;
    } catch (error) {
      this.#core.journal.event(eventCodes.transferFailed, { description: reasonOf(error), severity: "error" });
      return false;
    }
  }

  #cancel(transfer: TransferState, phase: "cancelled_user" | "cancelled_system"): void {
    this.#enter(transfer, phase);
    this.#core.background.start(async () => {
      await this.#core.background.steps();
      this.#enter(transfer, phase === "cancelled_user" ? "finalizing_cleanup" : "finalizing_failure");
      await this.#tickets.close(transfer);
      if (phase === "cancelled_user") {
        this.#enter(transfer, "finished_cleanup");
        await this.#core.background.steps();
      }
      await this.#finish(transfer, "finished_failure");
    });
  }

  /** Frees the disk, or removes it after a failed upload. */
  async #finish(transfer: TransferState, phase: "finished_success" | "finished_failure"): Promise<void> {
    const { behaviour, state, journal, store } = this.#core;
    await this.#tickets.close(transfer);
    const disk = state.disks[transfer.diskId];
    if (disk !== undefined) {
      const lost = transfer.direction === "upload" && phase === "finished_failure";
      disk.status = lost ? "illegal" : "ok";
      if (lost) this.#disks.drop(disk);
    }
    transfer.active = false;
    this.#enter(transfer, phase);
    const succeeded = phase === "finished_success";
    journal.event(succeeded ? eventCodes.transferSucceeded : eventCodes.transferFailed, {
      description: `Transfer ${transfer.id} of disk ${disk?.alias ?? transfer.diskId} ${succeeded ? "succeeded" : "failed"}.`,
      severity: succeeded ? "normal" : "error",
    });
    if (!behaviour.finalPhases) delete state.transfers[transfer.id];
    store.changed();
  }

  #enter(transfer: TransferState, phase: TransferPhase): void {
    transfer.phase = phase;
    transfer.modifiedAt = new Date().toISOString();
    this.#core.store.changed();
  }
}
