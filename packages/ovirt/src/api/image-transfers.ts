import { element, field, reference } from "../engine/build-xml.ts";
import type { EngineCaller } from "../engine/engine-caller.ts";
import { parseImageTransfer, type ImageTransfer } from "../model/image-transfer.ts";
import { parseList } from "../model/parse-list.ts";
import { action } from "./action.ts";
import { orUndefined } from "./if-missing.ts";
import { path } from "./paths.ts";

/** What is transferred: a disk, one volume of it by the id of its disk snapshot, or (older engines) an image. */
export type TransferSubject =
  { readonly diskId: string } | { readonly diskSnapshotId: string } | { readonly imageId: string };

export interface NewTransfer {
  readonly subject: TransferSubject;
  readonly direction: "download" | "upload";
  /** `raw`: guest data through NBD, with extents. `cow`: the bytes of the volume file. */
  readonly format: "raw" | "cow";
  /** For a disk of a backup that is `ready`; format `raw`. */
  readonly backupId?: string;
  /** The one layer without its backing chain (4.4.3). */
  readonly shallow?: boolean;
  /** Inactivity after which the engine ends the transfer. 0: never. */
  readonly inactivityTimeoutSeconds?: number;
  /** What the engine does after the timeout (4.4.5). Default `legacy`: it pauses uploads and cancels downloads. */
  readonly timeoutPolicy?: "legacy" | "pause" | "cancel";
  /** Must be up and in the data center of the disk. Ignored for live backups. */
  readonly hostId?: string;
  /** How long to wait for a locked disk. Default: as for any other conflict. */
  readonly conflictDeadlineMs?: number;
}

/** `/imagetransfers` */
export class ImageTransferService {
  readonly #engine: EngineCaller;

  constructor(engine: EngineCaller) {
    this.#engine = engine;
  }

  /** Resolves before the ticket exists: wait for phase `transferring`, which comes with the URLs. */
  async create(transfer: NewTransfer, signal: AbortSignal): Promise<ImageTransfer> {
    const { conflictDeadlineMs } = transfer;
    const patience = conflictDeadlineMs === undefined ? {} : { conflictDeadlineMs };
    const body = element(
      "image_transfer",
      {},
      reference("backup", transfer.backupId),
      field("direction", transfer.direction),
      subject(transfer.subject),
      field("format", transfer.format),
      reference("host", transfer.hostId),
      field("inactivity_timeout", transfer.inactivityTimeoutSeconds),
      field("shallow", transfer.shallow),
      field("timeout_policy", transfer.timeoutPolicy),
    );
    return parseImageTransfer(await this.#engine.post("/imagetransfers", body, { signal, ...patience }));
  }

  /** @throws EntityNotFoundError before 4.4.7 also as soon as a transfer has ended. */
  async get(transferId: string, signal: AbortSignal): Promise<ImageTransfer> {
    return parseImageTransfer(await this.#engine.get(path("imagetransfers", transferId), { signal }));
  }

  find(transferId: string, signal: AbortSignal): Promise<ImageTransfer | undefined> {
    return orUndefined(this.get(transferId, signal));
  }

  async list(signal: AbortSignal): Promise<readonly ImageTransfer[]> {
    const root = await this.#engine.get("/imagetransfers", { signal });
    return parseList(root, "image_transfers", "image_transfer", parseImageTransfer);
  }

  /** Keeps the transfer alive without touching data. */
  extend(transferId: string, signal: AbortSignal): Promise<void> {
    return this.#act(transferId, "extend", signal);
  }

  /** Uploads only. */
  pause(transferId: string, signal: AbortSignal): Promise<void> {
    return this.#act(transferId, "pause", signal);
  }

  resume(transferId: string, signal: AbortSignal): Promise<void> {
    return this.#act(transferId, "resume", signal);
  }

  /** Cancels the transfer; the engine deletes the disk of an upload. Poll until the phase is final. */
  cancel(transferId: string, signal: AbortSignal): Promise<void> {
    return this.#act(transferId, "cancel", signal);
  }

  /**
   * Ends the transfer successfully; close all connections to imageio first. Poll until the phase is final or the
   * transfer gone.
   */
  finalize(transferId: string, signal: AbortSignal): Promise<void> {
    return this.#act(transferId, "finalize", signal);
  }

  async #act(transferId: string, name: string, signal: AbortSignal): Promise<void> {
    await this.#engine.post(path("imagetransfers", transferId, name), action(), { signal });
  }
}

function subject(what: TransferSubject): ReturnType<typeof reference> {
  if ("diskId" in what) return reference("disk", what.diskId);
  if ("diskSnapshotId" in what) return reference("snapshot", what.diskSnapshotId);
  return reference("image", what.imageId);
}
