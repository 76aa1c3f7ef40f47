import {
  messageOf,
  observe,
  type BackupSession,
  type BaseMarker,
  type Consistency,
  type DiskSource,
  type PointDocument,
  type RunHooks,
  type RunLedger,
  type SessionClosed,
  type VirtualMachine,
} from "@ovault/contract";
import {
  confirmFrozen,
  dropSnapshot,
  endTransfers,
  keepAlive,
  type EngineApi,
  type OpenTransfer,
  type Snapshot,
  type TakenSnapshot,
  type TransferContext,
} from "@ovault/ovirt";

import { snapshotMarker } from "./base-marker.ts";
import { openDisks } from "./open-disks.ts";
import type { DiskPlan } from "./plan-modes.ts";
import { recordRetiring, removeRetiring, type Retiring } from "./remove-old-snapshots.ts";

/** An engine may be restarting. */
const LOOKUP_DEADLINE_MS = 5 * 60_000;

export interface SessionParts {
  readonly api: EngineApi;
  readonly hooks: RunHooks;
  readonly ledger: RunLedger;
  readonly vm: VirtualMachine;
  readonly documents: readonly PointDocument[];
  readonly consistency: Consistency;
  readonly snapshot: TakenSnapshot;
  /** The snapshot stays, for the next increment. */
  readonly keepBase: boolean;
  /** Snapshots that only older points needed. */
  readonly older: readonly Snapshot[];
  readonly removeDeadlineMs: number;
}

/** A snapshot that is there to be read. Whoever makes one must close it, also when `open` throws. */
export class SnapshotSession implements BackupSession {
  readonly documents: readonly PointDocument[];
  readonly consistency: Consistency;
  readonly #parts: SessionParts;
  readonly #transfers = new Set<OpenTransfer>();
  #plans: readonly DiskPlan[] = [];
  #disks: readonly DiskSource[] = [];
  #stopKeepAlive: () => Promise<void> = async () => {};
  #retiring: readonly Retiring[] = [];
  /** Why a snapshot could not be merged: the machine is left alone from then on. */
  #obstacle: unknown;
  /** The next increment can start at the snapshot, which belongs to the point once that is sealed. */
  #isBase = false;

  constructor(parts: SessionParts) {
    this.documents = parts.documents;
    this.consistency = parts.consistency;
    this.#parts = parts;
  }

  get disks(): readonly DiskSource[] {
    return this.#disks;
  }

  get holdsTransfers(): boolean {
    return this.#transfers.size > 0;
  }

  /** Opens a transfer for each disk; again only while the session holds none. */
  async open(plans: readonly DiskPlan[], context: TransferContext, signal: AbortSignal): Promise<void> {
    const onOpen = (transfer: OpenTransfer): void => void this.#transfers.add(transfer);
    const onEnded = (transfer: OpenTransfer): void => void this.#transfers.delete(transfer);
    this.#plans = plans;
    this.#disks = await openDisks(plans, { context, onOpen, onEnded }, signal);
    const clients = [...this.#transfers].map(({ client }) => client);
    this.#stopKeepAlive = keepAlive(clients, context.inactivityTimeoutSeconds);
  }

  /** Transfers that live keep the engine from merging anything: what the layers lie on is as it was when they began. */
  async confirm(signal: AbortSignal): Promise<void> {
    const { api, vm, snapshot } = this.#parts;
    for (const { transfer } of this.#transfers) await transfer.confirm(signal);
    await confirmFrozen(api, { vmId: vm.id, snapshotId: snapshot.id, before: this.#plans }, signal);
  }

  /** The order is the engine's: connections, transfers, snapshot. It removes no snapshot that is being read. */
  async close(outcome: "complete" | "failed"): Promise<SessionClosed> {
    await this.#stopKeepAlive();
    const transfers = [...this.#transfers];
    await Promise.all(transfers.map(({ client }) => client.close()));
    const how = outcome === "complete" ? "finalize" : "cancel";
    await endTransfers(
      transfers.map(({ transfer }) => transfer),
      how,
    );
    if (outcome === "complete") return await this.#complete();
    this.#isBase = false;
    // The last sealed point stays the base of the next increment.
    for (const { handle } of this.#retiring) await handle.close();
    this.#retiring = [];
    this.#obstacle = await dropSnapshot(this.#parts.api, this.#parts);
    return { bases: new Map() };
  }

  async retire(signal: AbortSignal): Promise<void> {
    const { vm, snapshot } = this.#parts;
    try {
      // Part of a sealed point from here on: nothing that a dead run left.
      if (this.#isBase) await snapshot.handle.close();
      if (this.#obstacle !== undefined && this.#retiring.length > 0) throw this.#obstacle;
      await removeRetiring(this.#retiring, this.#parts, signal);
    } catch (error) {
      // It stays in the ledger.
      this.#warn(`an old snapshot of ${vm.name} is still there: ${messageOf(error)}; see \`ovault doctor\``);
    }
  }

  async #complete(): Promise<SessionClosed> {
    const { keepBase, ledger, vm, older } = this.#parts;
    const bases = keepBase ? await this.#bases() : new Map<string, BaseMarker>();
    this.#isBase = bases.size > 0;
    if (!this.#isBase) this.#obstacle = await dropSnapshot(this.#parts.api, this.#parts);
    // Before the point is sealed: afterwards nobody else would know of them.
    this.#retiring = await recordRetiring(ledger, vm, older);
    return { bases };
  }

  /** Empty when the snapshot has been removed by somebody else, or cannot be asked for. */
  async #bases(): Promise<ReadonlyMap<string, BaseMarker>> {
    const { api, vm, snapshot } = this.#parts;
    try {
      const disks = await api.vms.snapshotDisks(vm.id, snapshot.id, AbortSignal.timeout(LOOKUP_DEADLINE_MS));
      const frozen = new Map(disks.map(({ id, imageId }) => [id, imageId]));
      const markers = this.#disks.flatMap(({ disk }): [string, BaseMarker][] => {
        const volumeId = frozen.get(disk.id);
        if (volumeId === undefined) return [];
        return [[disk.id, snapshotMarker({ vmId: vm.id, diskId: disk.id, snapshotId: snapshot.id, volumeId })]];
      });
      return new Map(markers);
    } catch (error) {
      this.#warn(`the data is complete, but the snapshot cannot be kept (${messageOf(error)}): the next run compares`);
      return new Map();
    }
  }

  #warn(message: string): void {
    observe(this.#parts.hooks.warning, message);
  }
}
