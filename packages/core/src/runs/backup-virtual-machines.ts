import type { RecoveryPoint, VirtualMachine, RunHooks } from "@ovault/contract";
import { BufferPool } from "../pipeline/buffer-pool.ts";
import { backupVirtualMachine, type BackupOptions } from "./backup-virtual-machine.ts";
import { runFailure } from "../concurrency/cancellation.ts";
import { DEFAULT_LANES } from "./default-lanes.ts";
import { resourcesOf } from "./resources-of.ts";
import type { RunLimits } from "../policies/run-limits.ts";
import { RunQueue } from "./run-queue.ts";

/** The options of one machine among several. */
export type MachineBackup = Pick<
  BackupOptions,
  "runId" | "vm" | "strategy" | "assessment" | "strategyReason" | "excludeDisks" | "keepBase" | "taps"
> & {
  /** Called before the run waits in the queue, with the names of the limits that hold it back. */
  readonly onQueued?: (limits: readonly string[]) => void;
};

export interface BackupsOptions extends Omit<BackupOptions, keyof MachineBackup | "buffers"> {
  readonly backups: readonly MachineBackup[];
  readonly limits: RunLimits;
  /** Holds the runs of other calls too, so that limits count them. Default: one of its own. */
  readonly queue?: RunQueue | undefined;
  /** Called when a machine is done, while others may still run. */
  readonly onEnd?: (outcome: MachineBackupOutcome) => void;
}

/** Outcome of the backup of one machine: a point or an error. */
export interface MachineBackupOutcome {
  readonly vm: VirtualMachine;
  /** Since its start, without time in the queue. 0 if cancelled before the start. */
  readonly elapsedMs: number;
  readonly point: RecoveryPoint | undefined;
  readonly error: unknown;
}

/** Any number of concurrent runs share twice the blocks in flight of a single run. */
const SHARED_LANES = 2 * DEFAULT_LANES;

/**
 * Backs up many machines, as many concurrently as the limits allow. A failed backup does not stop the others. When the
 * signal is aborted, no more backups start and those under way end as cancelled. Never rejects; the outcomes are in the
 * order requested.
 */
export async function backupVirtualMachines(options: BackupsOptions): Promise<readonly MachineBackupOutcome[]> {
  const { backups, limits, queue = new RunQueue(limits), onEnd, ...shared } = options;
  const { store, signal } = shared;
  const lanes = backups.length > 1 ? SHARED_LANES : DEFAULT_LANES;
  const buffers = new BufferPool(lanes, store.blockBytes);
  const ended = (outcome: MachineBackupOutcome): MachineBackupOutcome => {
    onEnd?.(outcome);
    return outcome;
  };
  return await Promise.all(
    backups.map(async ({ taps, onQueued, ...backup }): Promise<MachineBackupOutcome> => {
      const { vm, excludeDisks } = backup;
      let startedAt: number | undefined;
      const elapsedMs = (): number => (startedAt === undefined ? 0 : Math.round(performance.now() - startedAt));
      try {
        const run = async (copied: () => void): Promise<RecoveryPoint> => {
          startedAt = performance.now();
          const giveBack = (hooks: RunHooks): void => hooks.copied.tap("RunQueue", copied);
          return await backupVirtualMachine({ ...shared, ...backup, taps: [...taps, giveBack], buffers });
        };
        const point = await queue.run(resourcesOf(vm, excludeDisks, limits), signal, run, onQueued);
        return ended({ vm, elapsedMs: elapsedMs(), point, error: undefined });
      } catch (error) {
        return ended({ vm, elapsedMs: elapsedMs(), point: undefined, error: runFailure(error, signal) });
      }
    }),
  );
}
