import { randomUUID } from "node:crypto";

import type { DiskInfo, VolumeInfo } from "../../hypervisor/hypervisor.ts";
import { Serial } from "../../hypervisor/serial.ts";
import type { ImageioTicket } from "../../imageio/imageio-daemon.ts";
import { ImageioError } from "../../imageio/errors.ts";
import { conflict } from "../engine-fault.ts";
import type { EngineCore } from "../engine-core.ts";
import type { TransferState } from "../engine-state.ts";
import type { BackupOperations } from "./backup-operations.ts";

/** Life of an unused ticket, in seconds, and the extension by each renewal. */
const TICKET_SECONDS = 300;
/** Factor with room for qcow2 metadata, for uploads of a qcow2 file as it is. */
const COW_OVERHEAD = 1.1;
const COW_HEADER_BYTES = 1024 * 1024;

/** Makes the data path of transfers: an export or a file, and a ticket for it. */
export class TransferTickets {
  readonly #core: EngineCore;
  readonly #backups: BackupOperations;

  /** Serializes calls: a transfer that is paused and resumed at once must not open what is still being closed. */
  readonly #turns = new WeakMap<TransferState, Serial>();

  constructor(core: EngineCore, backups: BackupOperations) {
    this.#core = core;
    this.#backups = backups;
  }

  open(transfer: TransferState): Promise<void> {
    return this.#turnOf(transfer).run(() => this.#open(transfer));
  }

  /** Removes the ticket, with retries, then the export. Idempotent. */
  close(transfer: TransferState): Promise<void> {
    return this.#turnOf(transfer).run(() => this.#close(transfer));
  }

  /** Tries once to remove the ticket, whose export is gone. */
  async abandon(transfer: TransferState): Promise<void> {
    const { ticketId } = transfer;
    delete transfer.ticketId;
    if (ticketId !== undefined) await this.#core.imageio.removeTicket(ticketId).catch(() => undefined);
  }

  /** Copies the ticket's counters and renews it. Answers idle seconds, or `undefined` when the ticket is gone. */
  async refresh(transfer: TransferState): Promise<number | undefined> {
    if (transfer.ticketId === undefined) return undefined;
    const info = await this.#core.imageio.ticketInfo(transfer.ticketId);
    if (info === undefined) return undefined;
    if (info.expired) await this.extend(transfer);
    transfer.active = info.active;
    transfer.transferredBytes = info.transferredBytes ?? transfer.transferredBytes;
    const sinceExtended = (Date.now() - Date.parse(transfer.extendedAt)) / 1000;
    return Math.min(info.idleSeconds, sinceExtended);
  }

  async extend(transfer: TransferState): Promise<void> {
    if (transfer.ticketId !== undefined) await this.#core.imageio.extendTicket(transfer.ticketId, TICKET_SECONDS);
  }

  #turnOf(transfer: TransferState): Serial {
    const turn = this.#turns.get(transfer) ?? new Serial();
    this.#turns.set(transfer, turn);
    return turn;
  }

  async #open(transfer: TransferState): Promise<void> {
    const ticketId = randomUUID();
    const path = await this.#dataPath(transfer);
    await this.#core.imageio.addTicket({
      ...path,
      uuid: ticketId,
      ops: transfer.direction === "upload" ? ["read", "write"] : ["read"],
      timeoutSeconds: TICKET_SECONDS,
      inactivityTimeoutSeconds: transfer.inactivitySeconds,
      transferId: transfer.id,
      sparse: this.#core.disk(transfer.diskId).sparse,
      extents: this.#core.behaviour.extents,
    });
    transfer.ticketId = ticketId;
    transfer.sizeBytes = path.sizeBytes;
    this.#core.store.changed();
  }

  async #close(transfer: TransferState): Promise<void> {
    if (transfer.ticketId !== undefined) {
      await this.refresh(transfer).catch(() => undefined); // its counters alone are lost
      await this.#removeTicket(transfer.ticketId);
      delete transfer.ticketId;
    }
    transfer.active = false;
    if (transfer.backupId === undefined) await this.#core.hypervisor.closeExport(transfer.id);
    this.#core.store.changed();
  }

  async #removeTicket(ticketId: string): Promise<void> {
    for (;;) {
      try {
        return await this.#core.imageio.removeTicket(ticketId);
      } catch (error) {
        if (!(error instanceof ImageioError)) throw error;
        await this.#core.background.steps(); // as the engine does: until the client lets go, or the daemon is back
      }
    }
  }

  async #dataPath(transfer: TransferState): Promise<Pick<ImageioTicket, "source" | "sizeBytes" | "dirty" | "bitmap">> {
    if (transfer.backupId !== undefined) return this.#backupPath(transfer, transfer.backupId);
    const info = await this.#core.hypervisor.diskInfo(transfer.diskId);
    if (transfer.format !== "raw") return filePath(transfer, info);
    const nbd = await this.#core.hypervisor.openExport({
      exportId: transfer.id,
      diskId: transfer.diskId,
      ...(transfer.volumeId === undefined ? {} : { volumeId: transfer.volumeId }),
      shallow: transfer.shallow,
      writable: transfer.direction === "upload",
    });
    return { source: { kind: "nbd", ...nbd }, sizeBytes: volumeOf(transfer, info).virtualBytes, dirty: false };
  }

  #backupPath(
    transfer: TransferState,
    backupId: string,
  ): Pick<ImageioTicket, "source" | "sizeBytes" | "dirty" | "bitmap"> {
    const disk = this.#backups.exportOf(backupId, transfer.diskId);
    if (disk === undefined) throw conflict(`The backup ${backupId} is over.`);
    return {
      source: { kind: "nbd", ...disk.nbd },
      sizeBytes: disk.virtualBytes,
      dirty: disk.dirtyBitmap !== undefined,
      ...(disk.dirtyBitmap === undefined ? {} : { bitmap: disk.dirtyBitmap }),
    };
  }
}

/** The raw bytes of the volume file, qcow2 with its header. */
function filePath(transfer: TransferState, info: DiskInfo): Pick<ImageioTicket, "source" | "sizeBytes" | "dirty"> {
  const volume = volumeOf(transfer, info);
  return { source: { kind: "file", path: volume.path }, sizeBytes: fileSize(transfer, volume), dirty: false };
}

function fileSize(transfer: TransferState, volume: VolumeInfo): number {
  if (volume.format === "raw") return volume.virtualBytes;
  return transfer.direction === "download"
    ? volume.fileBytes
    : Math.ceil(volume.virtualBytes * COW_OVERHEAD) + COW_HEADER_BYTES;
}

function volumeOf(transfer: TransferState, info: DiskInfo): VolumeInfo {
  const volume =
    transfer.volumeId === undefined
      ? info.chain.at(-1)
      : info.chain.find(({ volumeId }) => volumeId === transfer.volumeId);
  if (volume === undefined) throw conflict(`The volume of transfer ${transfer.id} is gone.`);
  return volume;
}
