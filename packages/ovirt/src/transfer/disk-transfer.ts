import { isTransient, ManagerError } from "@ovault/core";
import type { LedgerHandle } from "@ovault/core";

import type { EngineApi } from "../api/engine-api.ts";
import { pause } from "../engine/pause.ts";
import { arrived, pending } from "../engine/wait.ts";
import { wasRefused } from "../engine/was-refused.ts";
import { ImageioClient } from "../imageio/imageio-client.ts";
import type { Permits } from "../permits.ts";
import { isFinalTransferPhase } from "../model/image-transfer.ts";
import type { ImageTransfer } from "../model/image-transfer.ts";
import { undo } from "../undo.ts";
import { endTransfer } from "./end-transfer.ts";
import type { TransferEnd } from "./end-transfer.ts";
import { transferEnded } from "./errors.ts";
import type { TransferContext } from "./transfer-context.ts";

export interface TransferRequest {
  readonly diskId: string;
  /** For people: the disk's alias. */
  readonly title: string;
  readonly direction: "download" | "upload";
  /** The disk of a backup that is ready. */
  readonly backupId?: string;
  /** The disk as a snapshot froze it. */
  readonly frozen?: FrozenVolume;
  /** Size of the disk, in bytes. */
  readonly size: number;
  /** How long a locked disk is waited for. Default: as for any other conflict. */
  readonly conflictDeadlineMs?: number;
}

/** The volume of a disk that a snapshot holds, and how it is to be seen. */
export interface FrozenVolume {
  readonly volumeId: string;
  /** The snapshot is one of ours, so that a transfer of it is ours, too. */
  readonly ours: boolean;
  /**
   * `disk`: guest data, with all that lies below the volume. `layer`: guest data of this volume alone, and which of it there
   * is (4.4.3). `file`: the volume's file as it lies there. Engines up to 4.3.0 give the file in any case: see
   * `DiskTransfer.showsGuestData`.
   */
  readonly view: "disk" | "layer" | "file";
}

const START_DEADLINE_MS = 10 * 60_000;
const LOOKUP_DEADLINE_MS = 60_000;
const RENEWAL_PAUSE_MS = 1_000;
/** Phases on the way to `transferring`. */
const STARTING: ReadonlySet<string> = new Set(["initializing", "resuming", "unknown"]);
/** Phases of a transfer whose data can be relied on, when it was read without an error. */
const GOOD: ReadonlySet<string> = new Set(["transferring", "finalizing_success", "finished_success"]);

/** One disk's way in or out, from the ledger entry to the end on the engine. Guest data, whatever the disk's format. */
export class DiskTransfer {
  readonly request: TransferRequest;
  readonly #context: TransferContext;
  readonly #handle: LedgerHandle;
  readonly #transfer: ImageTransfer;
  #client: ImageioClient | undefined;

  /**
   * Makes the transfer and waits until data can flow. Leaves nothing behind when it throws, as far as possible.
   *
   * @param turn of transfers that start together, see `WaitOptions`
   */
  static async start(
    request: TransferRequest,
    context: TransferContext,
    signal: AbortSignal,
    turn?: Permits,
  ): Promise<DiskTransfer> {
    const { diskId, direction, backupId, frozen, title } = request;
    const handle = await context.ledger.open({
      kind: "transfer",
      title: `${direction} of disk ${title}`,
      detail: {
        diskId,
        direction,
        ...(backupId === undefined ? {} : { backupId }),
        ...(frozen === undefined ? {} : { volumeId: frozen.volumeId, oursAlone: frozen.ours }),
      },
    });
    const created = await create(request, context, signal).catch(async (error: unknown) => {
      if (wasRefused(error)) await handle.close();
      throw error;
    });
    try {
      await handle.amend({ transferId: created.id });
      const transfer = await waitForData(created, request, { api: context.api, signal, turn });
      return new DiskTransfer(request, context, handle, transfer);
    } catch (error) {
      await undo(handle, () => endTransfer(context.api, created.id, "cancel"));
      throw error;
    }
  }

  private constructor(
    request: TransferRequest,
    context: TransferContext,
    handle: LedgerHandle,
    transfer: ImageTransfer,
  ) {
    this.request = request;
    this.#context = context;
    this.#handle = handle;
    this.#transfer = transfer;
  }

  /** Where the data flows; undefined where the engine does not tell. */
  get hostId(): string | undefined {
    return this.#transfer.hostId;
  }

  /** Of a frozen volume. False: the bytes are those of its file, whatever was asked for. */
  get showsGuestData(): boolean {
    return this.request.frozen === undefined || this.echoesRaw;
  }

  /** The engine says itself that it shows guest data. Where it does not, that proves nothing. */
  get echoesRaw(): boolean {
    return this.#transfer.format === "raw";
  }

  /** Connects the data side; once, before `end`. */
  async connect(maxConnections: number, hostConnections: Permits, signal: AbortSignal): Promise<ImageioClient> {
    const { api, ca, inactivityTimeoutSeconds, localHostId } = this.#context;
    const { id, transferUrl, proxyUrl, signedTicket, hostId } = this.#transfer;
    const url = transferUrl ?? proxyUrl;
    if (url === undefined) throw new ManagerError(`the engine gives no address for transfer ${id}`);
    this.#client = await ImageioClient.open({
      transferUrl: url,
      ...(proxyUrl === undefined ? {} : { proxyUrl }),
      ...(signedTicket === undefined ? {} : { signedTicket }),
      ca,
      onHost: hostId !== undefined && hostId === localHostId,
      size: this.request.size,
      maxConnections,
      hostConnections,
      inactivityTimeoutMs: inactivityTimeoutSeconds * 1_000,
      renewTicket: (renewal) => renew(api, id, renewal),
      signal,
    });
    return this.#client;
  }

  /** Phase of the transfer now; undefined when it is gone. */
  async phase(signal: AbortSignal): Promise<string | undefined> {
    return (await this.#context.api.transfers.find(this.#transfer.id, signal))?.phase;
  }

  /**
   * After all data was read: makes sure that the transfer lives, or was finalized by the engine, which does that by itself
   * where everything was read. Engines before 4.4.7 forget those.
   *
   * @throws {TransferEndedError} it ended in another way, or was paused. @throws {DeadlineError} the engine does not tell.
   */
  async confirm(signal: AbortSignal): Promise<void> {
    const { api, capabilities } = this.#context;
    const { diskId, title } = this.request;
    await api.wait(
      `the engine to say that the transfer of disk ${title} lives`,
      async (pollSignal) => {
        const phase = await this.phase(pollSignal);
        if (phase === undefined ? !capabilities.persistentPhases : GOOD.has(phase)) return arrived(undefined);
        if (phase !== undefined && STARTING.has(phase)) return pending(phase);
        throw transferEnded({ diskId, title }, phase);
      },
      { deadlineMs: LOOKUP_DEADLINE_MS, signal },
    );
  }

  /**
   * Closes the connections, ends the transfer on the engine and waits until it is over; the ledger entry goes with it.
   * Not bound to any signal: it has deadlines of its own. May be called again after it threw.
   *
   * @param turn of transfers that end together, see `WaitOptions`
   */
  async end(how: "finalize" | "cancel", turn?: Permits): Promise<TransferEnd> {
    await this.#client?.close();
    const end = await endTransfer(this.#context.api, this.#transfer.id, how, turn);
    await this.#handle.close();
    return end;
  }
}

async function create(request: TransferRequest, context: TransferContext, signal: AbortSignal): Promise<ImageTransfer> {
  const { api, capabilities, inactivityTimeoutSeconds, localHostId } = context;
  const { diskId, direction, backupId, frozen, conflictDeadlineMs } = request;
  try {
    return await api.transfers.create(
      {
        subject: frozen === undefined ? { diskId } : { diskSnapshotId: frozen.volumeId },
        direction,
        format: frozen?.view === "file" ? "cow" : "raw",
        ...(frozen?.view === "layer" ? { shallow: true } : {}),
        inactivityTimeoutSeconds,
        ...(conflictDeadlineMs === undefined ? {} : { conflictDeadlineMs }),
        ...(backupId === undefined ? {} : { backupId }),
        ...(capabilities.timeoutPolicy ? { timeoutPolicy: "cancel" as const } : {}),
        ...(localHostId === undefined || direction === "download" ? {} : { hostId: localHostId }),
      },
      signal,
    );
  } catch (error) {
    if (wasRefused(error)) throw error;
    // The answer was lost, or not waited for; the transfer may be there all the same. No disk has two at once.
    const transfers = await api.transfers.list(AbortSignal.timeout(LOOKUP_DEADLINE_MS)).catch(() => []);
    const found = transfers.find(
      (transfer) => isTransferOf(transfer, { diskId, backupId, volumeId: frozen?.volumeId }) && isOpen(transfer),
    );
    if (found === undefined) throw error;
    return found;
  }
}

/** The same disk seen through the same backup or snapshot. Engines name a frozen volume with or without its disk. */
export function isTransferOf(
  transfer: ImageTransfer,
  { diskId, backupId, volumeId }: { diskId: string; backupId: string | undefined; volumeId: string | undefined },
): boolean {
  if (transfer.backupId !== backupId || transfer.snapshotId !== volumeId) return false;
  return transfer.diskId === diskId || (volumeId !== undefined && transfer.diskId === undefined);
}

function isOpen({ phase }: ImageTransfer): boolean {
  return !isFinalTransferPhase(phase);
}

async function waitForData(
  { id }: ImageTransfer,
  { title }: TransferRequest,
  { api, signal, turn }: { api: EngineApi; signal: AbortSignal; turn: Permits | undefined },
): Promise<ImageTransfer> {
  const poll = async (pollSignal: AbortSignal) => {
    const transfer = await api.transfers.get(id, pollSignal);
    if (transfer.phase === "transferring") return arrived(transfer);
    if (STARTING.has(transfer.phase)) return pending(transfer.phase);
    throw new ManagerError(`the transfer of disk ${title} ended before it began (${transfer.phase})`, {
      context: { transfer: id, phase: transfer.phase },
      hint: "The engine's events tell the reason; often the host of the transfer has no working ovirt-imageio.",
    });
  };
  const patience = { deadlineMs: START_DEADLINE_MS, signal, justAsked: true };
  return await api.wait(`the transfer of disk ${title} to begin`, poll, {
    ...patience,
    ...(turn === undefined ? {} : { turn }),
  });
}

/**
 * The engine renews the ticket of a live transfer by itself, but not while it is down for longer than the ticket lasts.
 * True when the transfer lives, so that the ticket is or will be good again.
 */
async function renew(api: EngineApi, transferId: string, signal: AbortSignal): Promise<boolean> {
  const transfer = await api.transfers.find(transferId, signal);
  if (transfer?.phase !== "transferring") return false;
  try {
    await api.transfers.extend(transferId, signal);
  } catch (error) {
    if (isTransient(error)) return false;
    throw error;
  }
  await pause(RENEWAL_PAUSE_MS, signal);
  return true;
}
