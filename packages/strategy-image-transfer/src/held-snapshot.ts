import {
  messageOf,
  observe,
  type BackupRequest,
  type BaseMarker,
  type ClosedInstant,
  type Consistency,
  type DiskSource,
  type HeldInstant,
  type PointDocument,
  type RunContext,
} from "@ovault/contract";
import {
  confirmFrozen,
  dropSnapshot,
  endTransfers,
  EntityNotFoundError,
  keepAlive,
  transferContext,
  type Capabilities,
  type EngineApi,
  type HeldMachine,
  type OpenTransfer,
  type OvirtManager,
  type Snapshot,
  type TransferContext,
} from "@ovault/ovirt";

import { snapshotMarker } from "./base-marker.ts";
import { openDisks } from "./open-disks.ts";
import type { ImageTransferOptions } from "./options.ts";
import { planDisks } from "./plan-disks.ts";
import type { DiskPlan } from "./plan-modes.ts";
import { recordRetiring, removeRetiring, type Retiring } from "./remove-old-snapshots.ts";

/** An engine may be restarting. */
const LOOKUP_DEADLINE_MS = 5 * 60_000;

/** What was asked for, the snapshot that shows it, and what it takes to read it. */
export interface HeldSnapshotParts extends BackupRequest, RunContext, HeldMachine {
  readonly manager: OvirtManager;
  readonly options: ImageTransferOptions;
  readonly api: EngineApi;
  readonly capabilities: Capabilities;
  /** Snapshots that only older points needed. */
  readonly older: readonly Snapshot[];
  readonly removeDeadlineMs: number;
}

/** A snapshot that is there to be read. */
export class HeldSnapshot implements HeldInstant {
  readonly documents: readonly PointDocument[];
  readonly consistency: Consistency;
  readonly #parts: HeldSnapshotParts;
  readonly #transfers = new Set<OpenTransfer>();
  #plans: readonly DiskPlan[] = [];
  #stopKeepAlive: () => Promise<void> = async () => {};
  #retiring: readonly Retiring[] = [];
  /** Why a snapshot could not be merged: the machine is left alone from then on. */
  #obstacle: unknown;
  /** The next increment can start at the snapshot, which belongs to the point once that is sealed. */
  #isBase = false;

  constructor(parts: HeldSnapshotParts) {
    this.documents = parts.documents;
    this.consistency = parts.consistency;
    this.#parts = parts;
  }

  async open(signal: AbortSignal): Promise<readonly DiskSource[]> {
    const { manager, options } = this.#parts;
    const context = await transferContext(manager, options, this.#parts);
    try {
      return await this.#open(context, signal);
    } catch (error) {
      // Somebody's merge has renamed the volumes meanwhile. From the first transfer on, nothing can be merged.
      if (!(error instanceof EntityNotFoundError) || this.#transfers.size > 0) throw error;
      return await this.#open(context, signal);
    }
  }

  /** Transfers that live keep the engine from merging anything: what the layers lie on is as it was when they began. */
  async confirm(signal: AbortSignal): Promise<void> {
    const { api, vm, snapshot } = this.#parts;
    for (const { transfer } of this.#transfers) await transfer.confirm(signal);
    await confirmFrozen(api, { vmId: vm.id, snapshotId: snapshot.id, before: this.#plans }, signal);
  }

  /** The order is the engine's: connections, transfers, snapshot. It removes no snapshot that is being read. */
  async close(outcome: "complete" | "failed"): Promise<ClosedInstant> {
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

  /** Opens a transfer for each disk. */
  async #open(context: TransferContext, signal: AbortSignal): Promise<readonly DiskSource[]> {
    this.#plans = await planDisks(this.#parts, signal);
    const onOpen = (transfer: OpenTransfer): void => void this.#transfers.add(transfer);
    const onEnded = (transfer: OpenTransfer): void => void this.#transfers.delete(transfer);
    const disks = await openDisks(this.#plans, { context, onOpen, onEnded }, signal);
    const clients = [...this.#transfers].map(({ client }) => client);
    this.#stopKeepAlive = keepAlive(clients, context.inactivityTimeoutSeconds);
    return disks;
  }

  async #complete(): Promise<ClosedInstant> {
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
      const markers = this.#plans.flatMap(({ disk }): [string, BaseMarker][] => {
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
