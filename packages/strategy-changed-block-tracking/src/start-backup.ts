import { randomUUID } from "node:crypto";

import type { LedgerHandle, RunLedger, VirtualMachine } from "@ovault/core";
import { arrived, EngineFaultError, hasTag, isFinalBackupPhase, pending, runTag, wasRefused } from "@ovault/ovirt";
import type { Backup, Capabilities, EngineApi, NewBackup } from "@ovault/ovirt";

import { abandonBackup } from "./abandon-backup.ts";
import { BackupFailedError } from "./errors.ts";
import { whyFailed } from "./why-failed.ts";

const LOOKUP_DEADLINE_MS = 60_000;

export interface StartBackup {
  readonly api: EngineApi;
  readonly capabilities: Capabilities;
  readonly ledger: RunLedger;
  readonly vm: VirtualMachine;
  readonly diskIds: readonly string[];
  /** Take what changed since then, where a disk can. */
  readonly checkpointId: string | undefined;
  readonly readyDeadlineMs: number;
  readonly endDeadlineMs: number;
  readonly signal: AbortSignal;
}

export interface StartedBackup {
  readonly backup: Backup;
  readonly handle: LedgerHandle;
  /** Why it was started without the checkpoint, when it was. */
  readonly refusal: string | undefined;
}

/**
 * Starts a backup and waits until it is ready to be read. A checkpoint that the engine does not know, or cannot use any
 * more, costs a second start without it and nothing else. Leaves nothing behind when it throws, as far as possible.
 */
export async function startBackup(options: StartBackup): Promise<StartedBackup> {
  if (options.checkpointId === undefined) return { ...(await attempt(options, undefined)), refusal: undefined };
  try {
    return { ...(await attempt(options, options.checkpointId)), refusal: undefined };
  } catch (error) {
    options.signal.throwIfAborted();
    const refused = error instanceof EngineFaultError || error instanceof BackupFailedError;
    if (!refused) throw error;
    const refusal = `the engine cannot use the last checkpoint: ${error.message}`;
    return { ...(await attempt(options, undefined)), refusal };
  }
}

async function attempt(
  options: StartBackup,
  fromCheckpointId: string | undefined,
): Promise<{ backup: Backup; handle: LedgerHandle }> {
  const { api, capabilities, ledger, vm, diskIds, signal } = options;
  const description = runTag(ledger.runId);
  const ownId = capabilities.ownBackupId ? { id: randomUUID() } : {};
  const handle = await ledger.open({
    kind: "backup",
    title: `backup of ${vm.name}`,
    detail: { vmId: vm.id, tag: description, ...(ownId.id === undefined ? {} : { backupId: ownId.id }) },
  });
  const request = { diskIds, description, ...ownId, ...(fromCheckpointId === undefined ? {} : { fromCheckpointId }) };
  const created = await create(api, vm.id, request, signal).catch(async (error: unknown) => {
    if (wasRefused(error)) await handle.close();
    throw error;
  });
  try {
    await handle.amend({ backupId: created.id });
    return { backup: await waitUntilReady(options, created.id), handle };
  } catch (error) {
    await abandonBackup({ ...options, backup: { id: created.id, handle } });
    throw error;
  }
}

/** A start whose answer was lost, or not waited for, is looked up by its tag, and not made a second time. */
async function create(api: EngineApi, vmId: string, request: NewBackup, signal: AbortSignal): Promise<Backup> {
  try {
    return await api.backups.start(vmId, request, signal);
  } catch (error) {
    if (wasRefused(error)) throw error;
    const backups = await api.backups.list(vmId, AbortSignal.timeout(LOOKUP_DEADLINE_MS)).catch(() => []);
    const found = backups.find(
      ({ id, description, phase }) =>
        !isFinalBackupPhase(phase) && (id === request.id || hasTag(description, request.description ?? "")),
    );
    if (found === undefined) throw error;
    return found;
  }
}

async function waitUntilReady(options: StartBackup, backupId: string): Promise<Backup> {
  const { api, vm, readyDeadlineMs, signal } = options;
  return await api.wait(
    `the backup of ${vm.name} to become ready`,
    async (pollSignal) => {
      const backup = await api.backups.find(vm.id, backupId, pollSignal);
      if (backup?.phase === "ready") return arrived(backup);
      if (backup === undefined || isFinalBackupPhase(backup.phase) || backup.phase === "finalizing") {
        throw await startFailed(api, vm, backupId, pollSignal);
      }
      return pending(backup.phase);
    },
    { deadlineMs: readyDeadlineMs, signal },
  );
}

async function startFailed(
  api: EngineApi,
  vm: VirtualMachine,
  backupId: string,
  signal: AbortSignal,
): Promise<BackupFailedError> {
  const reasons = await whyFailed(api, backupId, signal);
  return new BackupFailedError(reasons[0] ?? `the engine could not start the backup of ${vm.name}`, {
    context: { vm: vm.id, backup: backupId },
    hint: "The engine's events for this virtual machine say more; the host's vdsm.log says most.",
  });
}
