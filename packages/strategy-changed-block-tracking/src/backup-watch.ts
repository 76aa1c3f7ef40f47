import { setTimeout as delay } from "node:timers/promises";

import type { VirtualMachine } from "@ovault/contract";
import { arrived, isFinalBackupPhase, pending, type Backup, type EngineApi } from "@ovault/ovirt";

import { BackupFailedError } from "./errors.ts";
import { whyFailed } from "./why-failed.ts";

const LOOK_EVERY_MS = 10_000;
const QUESTION_DEADLINE_MS = 60_000;
/** How much later than its reads fail the engine may know that a backup has ended: it learns of it from the host. */
const ENGINE_LAG_MS = 1_000;

export interface WatchedBackup {
  readonly api: EngineApi;
  readonly vm: VirtualMachine;
  readonly backupId: string;
}

/**
 * Watches a backup while it is read. The engine ends it when the virtual machine powers off, pauses or migrates; its
 * data is invalid from then on, even if reads still succeed.
 */
export class BackupWatch {
  readonly #watched: WatchedBackup;
  readonly #onFailed: () => void;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;
  #failure: BackupFailedError | undefined;

  /** Calls `onFailed` once; it should make reads end. */
  constructor(watched: WatchedBackup, onFailed: () => void) {
    this.#watched = watched;
    this.#onFailed = onFailed;
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
  }

  /** The cause of a failed read: the backup's own failure if there is one; the read's error otherwise. */
  async explain(error: unknown): Promise<unknown> {
    await this.look();
    if (this.#failure === undefined) {
      await delay(ENGINE_LAG_MS);
      await this.look();
    }
    return this.#failure ?? error;
  }

  /** @throws BackupFailedError when the engine has ended the backup */
  assertAlive(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Checks now; concurrent callers share one request. An engine that does not answer proves nothing. */
  async look(): Promise<void> {
    if (this.#failure !== undefined) return;
    this.#looking ??= this.#ask()
      .catch(() => undefined)
      .finally(() => {
        this.#looking = undefined;
      });
    await this.#looking;
  }

  /**
   * Verifies, after all data was read, that the engine still reports the backup as `ready`. Waits for an engine that
   * does not answer.
   *
   * @throws BackupFailedError when it ended the backup. @throws DeadlineError when it does not answer
   */
  async confirm(signal: AbortSignal): Promise<void> {
    const { api, vm, backupId } = this.#watched;
    await api.wait(
      `the engine to say that the backup of ${vm.name} is ready`,
      async (pollSignal) => {
        this.assertAlive();
        const backup = await api.backups.find(vm.id, backupId, pollSignal);
        if (backup?.phase === "ready") return arrived(undefined);
        if (isOver(backup)) throw await this.#failed(pollSignal);
        return pending(backup?.phase);
      },
      { deadlineMs: QUESTION_DEADLINE_MS, signal },
    );
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #ask(): Promise<void> {
    const { api, vm, backupId } = this.#watched;
    const signal = AbortSignal.timeout(QUESTION_DEADLINE_MS);
    const backup = await api.backups.find(vm.id, backupId, signal);
    if (!isOver(backup) || this.#failure !== undefined) return;
    this.#failure = await this.#failed(signal);
    this.#onFailed();
  }

  async #failed(signal: AbortSignal): Promise<BackupFailedError> {
    const { api, vm, backupId } = this.#watched;
    const [reason] = await whyFailed(api, backupId, signal);
    return new BackupFailedError(
      `the engine ended the backup of ${vm.name} while it was read: ${reason ?? "it gave no reason"}`,
      {
        context: { vm: vm.id, backup: backupId },
        hint: "That happens when the virtual machine is powered off, paused or migrated. Run the backup again.",
      },
    );
  }
}

/** Ended by the engine or by another client: this run finalizes it only after `confirm`. */
function isOver(backup: Backup | undefined): boolean {
  return backup === undefined || backup.phase === "finalizing" || isFinalBackupPhase(backup.phase);
}
