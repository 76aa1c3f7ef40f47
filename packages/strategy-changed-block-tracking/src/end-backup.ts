import { arrived, EntityNotFoundError, isFinalBackupPhase, pending, type Backup, type EngineApi } from "@ovault/ovirt";

import { whyFailed } from "./why-failed.ts";

export interface BackupEnd {
  readonly succeeded: boolean;
  /** The engine's reason for a failure, if it gave one. */
  readonly reason: string | undefined;
  /** The checkpoint made with it: it outlives the backup, even one that was never read. */
  readonly checkpointId: string | undefined;
}

/**
 * Ends a backup in any state, and waits until it is over. All its transfers must be over first: otherwise engines
 * refuse, or before 4.5.1 damage it. Before 4.4.7 a backup vanishes at its end, and only the events show the outcome.
 * Waits first for a backup that is still starting: engines refuse to end it, and name its checkpoint only from `ready`
 * on.
 *
 * @throws DeadlineError naming the phase it hangs in.
 */
export async function endBackup(
  api: EngineApi,
  vmId: string,
  backupId: string,
  deadlineMs: number,
): Promise<BackupEnd> {
  const signal = AbortSignal.timeout(deadlineMs * 2);
  let last: Backup | undefined;
  const wait = (
    what: string,
    isThere: (backup: Backup) => boolean,
    { justAsked }: { justAsked: boolean },
  ): Promise<Backup | undefined> =>
    api.wait(
      `backup ${backupId} to ${what}`,
      async (pollSignal) => {
        const backup = await api.backups.find(vmId, backupId, pollSignal);
        if (backup === undefined) return arrived(undefined);
        last = backup;
        return isThere(backup) ? arrived(backup) : pending(backup.phase);
      },
      { deadlineMs, signal, justAsked },
    );
  const started = await wait("start", hasBegun, { justAsked: false });
  const justAsked = started?.phase === "ready";
  if (justAsked) await finalize(api, vmId, backupId, signal);
  const ended = await wait("end", ({ phase }) => isFinalBackupPhase(phase), { justAsked });
  const checkpointId = last?.toCheckpointId;
  if (ended?.phase === "succeeded") return { succeeded: true, reason: undefined, checkpointId };
  const [reason] = await whyFailed(api, backupId, signal);
  const vanishedWell = ended === undefined && started !== undefined && reason === undefined;
  return { succeeded: vanishedWell, reason, checkpointId };
}

/** The API retries conflicts; what remains is a backup that ended by itself meanwhile, or a real refusal. */
async function finalize(api: EngineApi, vmId: string, backupId: string, signal: AbortSignal): Promise<void> {
  try {
    await api.backups.finalize(vmId, backupId, signal);
  } catch (error) {
    if (error instanceof EntityNotFoundError) return;
    const backup = await api.backups.find(vmId, backupId, signal);
    if (backup !== undefined && !isEnding(backup)) throw error;
  }
}

function hasBegun(backup: Backup): boolean {
  return backup.phase === "ready" || isEnding(backup);
}

function isEnding({ phase }: Backup): boolean {
  return phase === "finalizing" || isFinalBackupPhase(phase);
}
