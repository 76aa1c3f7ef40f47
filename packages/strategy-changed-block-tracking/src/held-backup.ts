import {
  messageOf,
  observe,
  type BaseMarker,
  type ClosedInstant,
  type Consistency,
  type DiskSource,
  type HeldInstant,
  type LedgerHandle,
  type PointDocument,
  type RunContext,
  type VirtualMachine,
} from "@ovault/contract";
import {
  HeldTransfers,
  openTransfers,
  transferContext,
  undo,
  type Capabilities,
  type EngineApi,
  type OvirtManager,
} from "@ovault/ovirt";

import { assertGuestData } from "./assert-guest-data.ts";
import { BackupWatch } from "./backup-watch.ts";
import { checkpointMarker } from "./base-marker.ts";
import { endBackup } from "./end-backup.ts";
import { openDisks } from "./open-disks.ts";
import type { ChangedBlockTrackingOptions } from "./options.ts";
import type { ModePlan } from "./plan-modes.ts";
import { existingCheckpoints, removeCheckpoint } from "./retire-checkpoints.ts";
import { settleDisk } from "./settle-disk.ts";

export interface HeldBackupParts extends RunContext {
  readonly manager: OvirtManager;
  readonly options: ChangedBlockTrackingOptions;
  readonly api: EngineApi;
  readonly capabilities: Capabilities;
  readonly vm: VirtualMachine;
  readonly documents: readonly PointDocument[];
  readonly consistency: Consistency;
  readonly plan: ModePlan;
  readonly backup: { readonly id: string; readonly handle: LedgerHandle };
  /** Why the engine's changes are not those since the last point; undefined when they are. */
  readonly refusal: string | undefined;
  /** The checkpoint the engine made with the backup; undefined when no disk is tracked. */
  readonly checkpoint: TrackedCheckpoint | undefined;
  /** Checkpoints of older points, useless after this one. */
  readonly retiring: readonly string[];
  readonly endDeadlineMs: number;
}

export interface TrackedCheckpoint {
  readonly id: string;
  readonly handle: LedgerHandle;
  /** Disks that hold its bitmap. */
  readonly diskIds: readonly string[];
}

/** A ready backup on the engine. */
export class HeldBackup implements HeldInstant {
  readonly documents: readonly PointDocument[];
  readonly consistency: Consistency;
  readonly #parts: HeldBackupParts;
  readonly #watch: BackupWatch;
  readonly #transfers = new HeldTransfers();
  /** Older checkpoints that exist, as far as known. */
  #retiring: readonly string[];
  /** The next increment can start here, and the point records the older checkpoints. */
  #isBase = false;

  constructor(parts: HeldBackupParts) {
    const { api, vm, backup, documents, consistency, retiring } = parts;
    this.documents = documents;
    this.consistency = consistency;
    this.#parts = parts;
    this.#retiring = retiring;
    this.#watch = new BackupWatch({ api, vm, backupId: backup.id }, () => void this.#transfers.disconnect());
  }

  async open(signal: AbortSignal): Promise<readonly DiskSource[]> {
    try {
      return await this.#open(signal);
    } catch (error) {
      throw signal.aborted ? error : await this.#watch.explain(error);
    }
  }

  async confirm(signal: AbortSignal): Promise<void> {
    await this.#transfers.confirm(signal);
    await this.#watch.confirm(signal);
  }

  /** The engine requires this order: connections, transfers, backup. Any other leaves locked disks behind. */
  async close(outcome: "complete" | "failed"): Promise<ClosedInstant> {
    const { api, vm, backup, endDeadlineMs } = this.#parts;
    await this.#watch.stop();
    await this.#transfers.close(outcome);
    const end = await endBackup(api, vm.id, backup.id, endDeadlineMs);
    await backup.handle.close();
    if (outcome === "complete" && end.succeeded) return { bases: await this.#bases() };
    if (outcome === "complete") {
      const reason = end.reason ?? "the engine gave no reason";
      this.#warn(`the data is complete, but the backup ended badly (${reason}): the next run compares all data`);
    }
    await this.#dropCheckpoint();
    return { bases: new Map() };
  }

  async retire(signal: AbortSignal): Promise<void> {
    const { api, vm, checkpoint } = this.#parts;
    try {
      // From here on it belongs to a sealed point and is no leftover of a dead run.
      if (this.#isBase) await checkpoint?.handle.close();
      for (const id of this.#retiring) await removeCheckpoint(api, vm.id, id, signal);
    } catch (error) {
      this.#warn(`an old checkpoint of ${vm.name} is still there (${messageOf(error)}); the next run tries again`);
      // The point is sealed: a failure to write the ledger must not fail the run.
      if (!this.#isBase) await this.#rememberRetiring().catch(() => undefined);
    }
  }

  /** Opens a transfer for each disk. */
  async #open(signal: AbortSignal): Promise<readonly DiskSource[]> {
    const { manager, options, api, capabilities, vm, plan, backup, refusal } = this.#parts;
    const engineDisks = await api.backups.disks(vm.id, backup.id, signal);
    const disks = plan.disks.map((disk) => settleDisk(disk, { engineDisks, refusal, capabilities }));
    const context = await transferContext(manager, options, this.#parts);
    const requests = disks.map(({ disk }) => ({
      diskId: disk.id,
      title: disk.alias,
      direction: "download" as const,
      backupId: backup.id,
      logicalBytes: disk.logicalBytes,
    }));
    const transfers = await openTransfers(requests, context, signal);
    for (const transfer of transfers) this.#transfers.add(transfer);
    for (const { transfer } of transfers) assertGuestData(transfer);
    this.#transfers.keepAlive(options.inactivityTimeoutSeconds);
    return await openDisks(disks, transfers, this.#watch, signal);
  }

  /** A point that is no base names no checkpoints, so only the ledger can. */
  async #rememberRetiring(): Promise<void> {
    const { vm, ledger } = this.#parts;
    for (const checkpointId of this.#retiring) {
      await ledger.open({
        kind: "checkpoint",
        title: `old checkpoint of ${vm.name}`,
        detail: { vmId: vm.id, checkpointId },
      });
    }
  }

  async #bases(): Promise<ReadonlyMap<string, BaseMarker>> {
    const { api, vm, checkpoint, retiring, endDeadlineMs } = this.#parts;
    if (checkpoint === undefined) return new Map();
    const signal = AbortSignal.timeout(endDeadlineMs);
    const checkpoints = await api.checkpoints.list(vm.id, signal).catch(() => []);
    if (!checkpoints.some(({ id, state }) => id === checkpoint.id && state !== "invalid")) {
      this.#warn(
        "the engine does not show the checkpoint of this run as one to start from: the next run compares all data",
      );
      await this.#dropCheckpoint();
      return new Map();
    }
    this.#retiring = existingCheckpoints(checkpoints, retiring);
    this.#isBase = true;
    return new Map(
      checkpoint.diskIds.map((diskId) => [
        diskId,
        checkpointMarker({ vmId: vm.id, diskId, checkpointId: checkpoint.id, retiring: [...this.#retiring] }),
      ]),
    );
  }

  /**
   * A checkpoint without a point would only slow the machine's disks down. If it cannot be removed, it stays in the
   * ledger.
   */
  async #dropCheckpoint(): Promise<void> {
    const { api, vm, checkpoint, endDeadlineMs } = this.#parts;
    if (checkpoint === undefined) return;
    const signal = AbortSignal.timeout(endDeadlineMs);
    const obstacle = await undo(checkpoint.handle, () => removeCheckpoint(api, vm.id, checkpoint.id, signal));
    if (obstacle === undefined) return;
    this.#warn(`the checkpoint of this run could not be removed: ${messageOf(obstacle)}; see \`ovault doctor\``);
  }

  #warn(message: string): void {
    observe(this.#parts.hooks.warning, message);
  }
}
