import { observe } from "@ovault/core";
import type {
  BackupSession,
  BaseMarker,
  Consistency,
  DiskSource,
  LedgerHandle,
  PointDocument,
  RunHooks,
  SessionClosed,
  VirtualMachine,
} from "@ovault/core";
import { undo } from "@ovault/ovirt";
import type { EngineApi, OpenTransfer } from "@ovault/ovirt";

import type { BackupWatch } from "./backup-watch.ts";
import { checkpointMarker } from "./base-marker.ts";
import { endBackup } from "./end-backup.ts";
import { existingCheckpoints, removeCheckpoint } from "./retire-checkpoints.ts";

export interface SessionParts {
  readonly api: EngineApi;
  readonly hooks: RunHooks;
  readonly vm: VirtualMachine;
  readonly documents: readonly PointDocument[];
  readonly consistency: Consistency;
  readonly backupId: string;
  readonly backupHandle: LedgerHandle;
  readonly transfers: readonly OpenTransfer[];
  readonly watch: BackupWatch;
  readonly stopKeepAlive: () => Promise<void>;
  readonly disks: readonly DiskSource[];
  /** The checkpoint the engine made with the backup; none when no disk is tracked. */
  readonly checkpoint:
    { readonly id: string; readonly handle: LedgerHandle; readonly diskIds: readonly string[] } | undefined;
  /** Checkpoints of older points, of no use after this one. */
  readonly retiring: readonly string[];
  readonly endDeadlineMs: number;
}

/** A backup of the engine that is ready, with an open transfer for each disk. */
export class ChangedBlockSession implements BackupSession {
  readonly documents: readonly PointDocument[];
  readonly consistency: Consistency;
  readonly disks: readonly DiskSource[];
  readonly #parts: SessionParts;
  /** Those that were there when the session was closed. */
  #retiring: readonly string[] = [];

  constructor(parts: SessionParts) {
    this.documents = parts.documents;
    this.consistency = parts.consistency;
    this.disks = parts.disks;
    this.#parts = parts;
  }

  /** The order is the engine's: connections, transfers, backup. Anything else leaves locked disks behind. */
  async close(outcome: "complete" | "failed"): Promise<SessionClosed> {
    const { api, vm, watch, stopKeepAlive, transfers, backupId, backupHandle, endDeadlineMs } = this.#parts;
    await watch.stop();
    await stopKeepAlive();
    await Promise.all(transfers.map(({ client }) => client.close()));
    const how = outcome === "complete" ? "finalize" : "cancel";
    const ended = await Promise.allSettled(transfers.map(({ transfer }) => transfer.end(how)));
    for (const one of ended) if (one.status === "rejected") throw one.reason;
    const end = await endBackup(api, vm.id, backupId, endDeadlineMs);
    await backupHandle.close();
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
      // Part of a sealed point from here on: nothing that a dead run left.
      await checkpoint?.handle.close();
      for (const id of this.#retiring) await removeCheckpoint(api, vm.id, id, signal);
    } catch (error) {
      this.#warn(`an old checkpoint of ${vm.name} is still there (${messageOf(error)}); the next run tries again`);
    }
  }

  async #bases(): Promise<ReadonlyMap<string, BaseMarker>> {
    const { api, vm, checkpoint, retiring, endDeadlineMs } = this.#parts;
    if (checkpoint === undefined) return new Map();
    const signal = AbortSignal.timeout(endDeadlineMs);
    this.#retiring = await existingCheckpoints(api, vm.id, retiring, signal).catch(() => retiring);
    return new Map(
      checkpoint.diskIds.map((diskId) => [
        diskId,
        checkpointMarker({ vmId: vm.id, diskId, checkpointId: checkpoint.id, retiring: [...this.#retiring] }),
      ]),
    );
  }

  /** A checkpoint without a point would only slow the machine's disks down. One that cannot go stays in the ledger. */
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
