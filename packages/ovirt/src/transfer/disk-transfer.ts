import { isTransient, type LedgerHandle, ManagerError, type Semaphore } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { EngineFaultError } from "../engine/errors.ts";
import { pause } from "../engine/pause.ts";
import { arrived, pending } from "../engine/wait.ts";
import { wasRefused } from "../engine/was-refused.ts";
import type { HostLosses } from "../imageio/host-losses.ts";
import { ImageioClient, type TransferAddress } from "../imageio/imageio-client.ts";
import { isFinalTransferPhase, type ImageTransfer } from "../model/image-transfer.ts";
import { undo } from "../traces/undo.ts";
import { endTransfer, type TransferEnd } from "./end-transfer.ts";
import { transferEnded } from "./errors.ts";
import type { TransferContext } from "./transfer-context.ts";

/** What the transfers of a run share for one host. */
export interface HostShare {
  readonly connections: Semaphore;
  readonly losses?: HostLosses;
}

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
  readonly logicalBytes: number;
  /** How long to wait for a locked disk. Default: as for any other conflict. */
  readonly conflictDeadlineMs?: number;
}

/** The volume of a disk that a snapshot holds, and the view of it. */
export interface FrozenVolume {
  readonly volumeId: string;
  /** The snapshot is ours, so a transfer of it is ours, too. */
  readonly ours: boolean;
  /**
   * `disk`: guest data, including everything below the volume. `layer`: guest data of this volume alone, and which
   * ranges it holds (4.4.3). `file`: the bytes of the volume's file. Engines up to 4.3.0 always give the file: see
   * `DiskTransfer.showsGuestData`.
   */
  readonly view: "disk" | "layer" | "file";
}

const START_DEADLINE_MS = 10 * 60_000;
const LOOKUP_DEADLINE_MS = 60_000;
const RENEWAL_PAUSE_MS = 1_000;
/** Phases on the way to `transferring`. */
const STARTING: ReadonlySet<string> = new Set(["initializing", "resuming", "unknown"]);
/** Phases in which data can flow, now or soon. */
const LIVING: ReadonlySet<string> = new Set(["transferring", "resuming", "paused_system"]);
/** Phases that a user, or ovault, caused. */
const ENDED_ON_PURPOSE: ReadonlySet<string> = new Set([
  "cancelled",
  "cancelled_user",
  "paused_user",
  "finalizing_cleanup",
  "finished_cleanup",
  "finalizing_success",
  "finished_success",
]);
/** Phases of a transfer whose data is valid if it was read without an error. */
const GOOD: ReadonlySet<string> = new Set(["transferring", "finalizing_success", "finished_success"]);

/** One disk's transfer, from the ledger entry to its end on the engine. Guest data, whatever the disk's format. */
export class DiskTransfer {
  readonly request: TransferRequest;
  readonly #context: TransferContext;
  #handle: LedgerHandle;
  #transfer: ImageTransfer;
  #client: ImageioClient | undefined;
  #losses: HostLosses | undefined;
  /** Concurrent readers share one request. */
  #asking: Promise<boolean> | undefined;
  #renewing: Promise<boolean | TransferAddress> | undefined;

  /**
   * Starts the transfer and waits until data can flow. Cleans up before it throws, as far as possible.
   *
   * @param turn shared by transfers that start together, see `WaitOptions`
   */
  static async start(
    request: TransferRequest,
    context: TransferContext,
    signal: AbortSignal,
    turn?: Semaphore,
  ): Promise<DiskTransfer> {
    return new DiskTransfer(request, context, await begin(request, context, signal, turn));
  }

  private constructor(request: TransferRequest, context: TransferContext, { handle, transfer }: BegunTransfer) {
    this.request = request;
    this.#context = context;
    this.#handle = handle;
    this.#transfer = transfer;
  }

  /** The host of the transfer; undefined where the engine does not report it. */
  get hostId(): string | undefined {
    return this.#transfer.hostId;
  }

  /** For a frozen volume. False: the bytes are those of its file, whatever was requested. */
  get showsGuestData(): boolean {
    return this.request.frozen === undefined || this.echoesRaw;
  }

  /** True when the engine confirms that it shows guest data. False proves nothing. */
  get echoesRaw(): boolean {
    return this.#transfer.format === "raw";
  }

  /** Opens the data connection; once, before `end`. */
  async connect(
    maxConnections: number,
    { connections: hostConnections, losses }: HostShare,
    signal: AbortSignal,
  ): Promise<ImageioClient> {
    this.#losses = losses;
    const { api, ca, inactivityTimeoutSeconds, localHostId } = this.#context;
    const { hostId } = this.#transfer;
    this.#client = await ImageioClient.open({
      ...addressOf(this.#transfer),
      ca,
      onHost: hostId !== undefined && hostId === localHostId,
      logicalBytes: this.request.logicalBytes,
      maxConnections,
      hostConnections,
      losses,
      inactivityTimeoutMs: inactivityTimeoutSeconds * 1_000,
      patienceMs: api.hostPatienceMs,
      onWait: api.onWait,
      isAlive: (asked) => this.#isAlive(asked),
      renewTicket: (asked, refusals) => this.#renew(asked, refusals),
      signal,
    });
    return this.#client;
  }

  /** Whether to wait for a host that does not answer. An engine that does not answer proves nothing. */
  #isAlive(signal: AbortSignal): Promise<boolean> {
    if (this.#renewing !== undefined) return Promise.resolve(true);
    this.#asking ??= this.phase(signal)
      .then((phase) => this.#mayGoOn(phase))
      .catch(() => true)
      .finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  /**
   * A download that the engine gave up because of its host continues as another one; an upload has lost its disk by
   * then.
   */
  #mayGoOn(phase: string | undefined): boolean {
    if (this.request.direction === "download") return phase === undefined || !ENDED_ON_PURPOSE.has(phase);
    return phase !== undefined && LIVING.has(phase);
  }

  /** The engine ended a download after a temporary loss of its host, and not on purpose. */
  #fellToLoss(phase: string | undefined): boolean {
    return this.#losses?.any === true && this.request.direction === "download" && this.#mayGoOn(phase);
  }

  #renew(signal: AbortSignal, refusals: number): Promise<boolean | TransferAddress> {
    this.#renewing ??= this.#renewNow(signal, refusals).finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  /**
   * The engine renews the ticket of a live transfer, but not while it is down for longer than the ticket lasts. An
   * upload that it has paused meanwhile is resumed. A restarted daemon has lost its tickets: a download is started
   * again, since its data does not change.
   */
  async #renewNow(signal: AbortSignal, refusals: number): Promise<boolean | TransferAddress> {
    const { api } = this.#context;
    const { id } = this.#transfer;
    const phase = await this.phase(signal);
    if (phase === "paused_system") return await resume(api, id, signal);
    if (phase === "transferring" && refusals === 1 && (await extend(api, id, signal))) return true;
    if (this.request.direction === "upload" || refusals > 2) return false;
    if (phase !== "transferring" && !this.#fellToLoss(phase)) return false;
    return await this.#reopen(signal);
  }

  async #reopen(signal: AbortSignal): Promise<TransferAddress> {
    await this.#client?.disconnect();
    await endTransfer(this.#context.api, this.#transfer.id, "cancel");
    const [old, before] = [this.#handle, this.#transfer];
    const { handle, transfer } = await begin(this.request, this.#context, signal);
    this.#handle = handle;
    this.#transfer = transfer;
    await old.close();
    const isAlike = transfer.format === before.format && transfer.shallow === before.shallow;
    if (!isAlike) throw transferEnded(this.request, "another than it was");
    return addressOf(transfer);
  }

  /** Current phase of the transfer; undefined when it is gone. */
  async phase(signal: AbortSignal): Promise<string | undefined> {
    return (await this.#context.api.transfers.find(this.#transfer.id, signal))?.phase;
  }

  /**
   * Verifies, after all data was read, that the transfer is alive or was finalized by the engine, which finalizes a
   * fully read one by itself. Engines before 4.4.7 forget those. A transfer lost with its host was valid while it
   * lived; whether the snapshot or backup still exists is checked elsewhere.
   *
   * @throws TransferEndedError when it ended in another way, or was paused
   * @throws DeadlineError when the engine does not answer
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
        if (this.#fellToLoss(phase)) return arrived(undefined);
        throw transferEnded({ diskId, title }, phase);
      },
      { deadlineMs: LOOKUP_DEADLINE_MS, signal },
    );
  }

  /**
   * Closes the connections, ends the transfer on the engine, waits until it is over and closes the ledger entry.
   * Independent of any signal: has its own deadlines. May be called again after it threw.
   *
   * @param turn shared by transfers that end together, see `WaitOptions`
   */
  async end(how: "finalize" | "cancel", turn?: Semaphore): Promise<TransferEnd> {
    await this.#client?.close();
    await this.#renewing?.catch(() => undefined);
    const end = await endTransfer(this.#context.api, this.#transfer.id, how, turn);
    await this.#handle.close();
    return end;
  }
}

interface BegunTransfer {
  readonly handle: LedgerHandle;
  readonly transfer: ImageTransfer;
}

async function begin(
  request: TransferRequest,
  context: TransferContext,
  signal: AbortSignal,
  turn?: Semaphore,
): Promise<BegunTransfer> {
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
    if (wasRefused(error, signal)) await handle.close();
    throw error;
  });
  try {
    await handle.amend({ transferId: created.id });
    const transfer = await waitForData(created, request, { api: context.api, signal, turn });
    return { handle, transfer };
  } catch (error) {
    await undo(handle, () => endTransfer(context.api, created.id, "cancel"));
    throw error;
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
    if (wasRefused(error, signal)) throw error;
    // The answer was lost or cancelled; the transfer may exist all the same. No disk has two at once.
    const transfers = await api.transfers.list(AbortSignal.timeout(LOOKUP_DEADLINE_MS)).catch(() => []);
    const found = transfers.find(
      (transfer) => isTransferOf(transfer, { diskId, backupId, volumeId: frozen?.volumeId }) && isOpen(transfer),
    );
    if (found === undefined) throw error;
    return found;
  }
}

/** The same disk seen through the same backup or snapshot. Engines report a frozen volume with or without its disk. */
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
  { api, signal, turn }: { api: EngineApi; signal: AbortSignal; turn: Semaphore | undefined },
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

function addressOf({ id, transferUrl, proxyUrl, signedTicket }: ImageTransfer): TransferAddress {
  const url = transferUrl ?? proxyUrl;
  if (url === undefined) throw new ManagerError(`the engine gives no address for transfer ${id}`);
  return {
    transferUrl: url,
    ...(proxyUrl === undefined ? {} : { proxyUrl }),
    ...(signedTicket === undefined ? {} : { signedTicket }),
  };
}

/** False: the engine cannot extend it, e.g. because the host does not know the ticket. */
async function extend(api: EngineApi, transferId: string, signal: AbortSignal): Promise<boolean> {
  try {
    await api.transfers.extend(transferId, signal);
  } catch (error) {
    if (isTransient(error) || error instanceof EngineFaultError) return false;
    throw error;
  }
  await pause(RENEWAL_PAUSE_MS, signal);
  return true;
}

async function resume(api: EngineApi, transferId: string, signal: AbortSignal): Promise<boolean | TransferAddress> {
  await api.transfers.resume(transferId, signal);
  const poll = async (pollSignal: AbortSignal) => {
    const transfer = await api.transfers.get(transferId, pollSignal);
    if (transfer.phase === "transferring") return arrived(addressOf(transfer));
    return STARTING.has(transfer.phase) ? pending(transfer.phase) : arrived(false);
  };
  return await api.wait<boolean | TransferAddress>(`transfer ${transferId} to be resumed`, poll, {
    deadlineMs: START_DEADLINE_MS,
    signal,
    justAsked: true,
  });
}
