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
  type RunHooks,
  type RunLedger,
} from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { EntityNotFoundError } from "../engine/errors.ts";
import { nextStep } from "../leftovers/in-use.ts";
import type { LeftoverKinds } from "../leftovers/leftover-kind.ts";
import type { Capabilities } from "../model/capabilities.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { confirmFrozen } from "../snapshot/confirm-frozen.ts";
import { dropSnapshot } from "../snapshot/drop-snapshot.ts";
import type { SnapshottedMachine } from "../snapshot/snapshot-for-backup.ts";
import type { DiskPlan } from "./plan-disk.ts";
import { planDisks } from "./plan-disks.ts";
import { recordRetiring, removeRetiring, type Retiring } from "./retire-snapshots.ts";
import { snapshotMarker } from "./snapshot-marker.ts";
import type { VolumeReader, VolumeReading } from "./volume-reader.ts";

/** An engine may be restarting. */
const LOOKUP_DEADLINE_MS = 5 * 60_000;

/** The request, the snapshot that serves it, and its reader. */
export interface HeldSnapshotParts extends BackupRequest, SnapshottedMachine {
  readonly api: EngineApi;
  readonly capabilities: Capabilities;
  readonly reader: VolumeReader;
  readonly reading: VolumeReading;
  readonly hooks: RunHooks;
  readonly ledger: RunLedger;
  readonly leftovers: LeftoverKinds;
  /** Snapshots that only older points needed. */
  readonly older: readonly Snapshot[];
  readonly removeDeadlineMs: number;
}

/** A readable snapshot. */
export class HeldSnapshot implements HeldInstant {
  readonly documents: readonly PointDocument[];
  readonly consistency: Consistency;
  readonly #parts: HeldSnapshotParts;
  #plans: readonly DiskPlan[] = [];
  #retiring: readonly Retiring[] = [];
  /** Why a snapshot could not be merged: the run then leaves the machine alone. */
  #obstacle: unknown;
  /** The next increment can start at the snapshot, which the sealed point will own. */
  #isBase = false;

  constructor(parts: HeldSnapshotParts) {
    this.documents = parts.documents;
    this.consistency = parts.consistency;
    this.#parts = parts;
  }

  async open(signal: AbortSignal): Promise<readonly DiskSource[]> {
    try {
      return await this.#open(signal);
    } catch (error) {
      // A merge has renamed the volumes meanwhile. Once the reading holds one, the engine cannot merge.
      if (!(error instanceof EntityNotFoundError) || this.#parts.reading.holdsVolumes) throw error;
      return await this.#open(signal);
    }
  }

  /** Held volumes keep the engine from merging: the layers below are the same as when they were opened. */
  async confirm(signal: AbortSignal): Promise<void> {
    const { api, vm, snapshot, reading } = this.#parts;
    await reading.confirm?.(signal);
    await confirmFrozen(api, { vmId: vm.id, snapshotId: snapshot.id, before: this.#plans }, signal);
  }

  /** The engine requires this order: it refuses to remove a snapshot that it knows to be read. */
  async close(outcome: "complete" | "failed"): Promise<ClosedInstant> {
    await this.#parts.reading.close(outcome);
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
      // From here on it belongs to a sealed point and is no leftover of a dead run.
      if (this.#isBase) await snapshot.handle.close();
      if (this.#obstacle !== undefined && this.#retiring.length > 0) throw this.#obstacle;
      await removeRetiring(this.#retiring, this.#parts, signal);
    } catch (error) {
      // It stays in the ledger.
      this.#warn(`an old snapshot of ${vm.name} is still there: ${messageOf(error)}; ${nextStep(error)}`);
    }
  }

  async #open(signal: AbortSignal): Promise<readonly DiskSource[]> {
    const { reading, snapshot } = this.#parts;
    this.#plans = await planDisks(this.#parts, signal);
    return await reading.open(this.#plans, snapshot.id, signal);
  }

  async #complete(): Promise<ClosedInstant> {
    const { keepBase, reader, ledger, vm, older } = this.#parts;
    const keeps = keepBase && typeof reader.increments !== "string";
    const bases = keeps ? await this.#bases() : new Map<string, BaseMarker>();
    this.#isBase = bases.size > 0;
    if (!this.#isBase) this.#obstacle = await dropSnapshot(this.#parts.api, this.#parts);
    // Before the seal, because afterwards only the ledger knows them.
    this.#retiring = await recordRetiring(ledger, vm, older);
    return { bases };
  }

  /** Empty when the snapshot is gone, or the lookup fails. */
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
