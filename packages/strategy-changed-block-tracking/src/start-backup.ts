import { randomUUID } from "node:crypto";

import { type LedgerHandle, type Quiesce, QuiesceError, type RunLedger, type VirtualMachine } from "@ovault/contract";
import {
  arrived,
  EngineFaultError,
  hasTag,
  isFinalBackupPhase,
  pending,
  runTag,
  wasRefused,
  type Backup,
  type Capabilities,
  type EngineApi,
  type NewBackup,
} from "@ovault/ovirt";

import { abandonBackup } from "./abandon-backup.ts";
import { relaxStart, isFreezeFailure, type StartOptions } from "./relax-start.ts";
import { BackupFailedError } from "./errors.ts";
import { whyFailed } from "./why-failed.ts";

const LOOKUP_DEADLINE_MS = 60_000;

export interface StartBackup {
  readonly api: EngineApi;
  readonly capabilities: Capabilities;
  readonly ledger: RunLedger;
  readonly vm: VirtualMachine;
  readonly diskIds: readonly string[];
  readonly terms: StartOptions;
  readonly quiesce: Quiesce;
  readonly readyDeadlineMs: number;
  readonly endDeadlineMs: number;
  readonly signal: AbortSignal;
}

export interface StartedBackup {
  readonly backup: Backup;
  readonly handle: LedgerHandle;
  /** The guest's file systems were frozen; the engine would not have started it otherwise. */
  readonly consistent: boolean;
  /** Why it was started without the checkpoint, if it was. */
  readonly refusal: string | undefined;
  /** Why it was started without freezing the guest although that was requested. */
  readonly unfrozen: string | undefined;
}

/**
 * Starts a backup and waits until it is ready. If the engine does not know the checkpoint, or cannot use it any more,
 * starts again without it; if the guest cannot be frozen and that is not required, starts again without freezing.
 * Cleans up before it throws, as far as possible.
 *
 * @throws QuiesceError when freezing is required, and was the reason of the failure.
 */
export async function startBackup(options: StartBackup): Promise<StartedBackup> {
  let { terms } = options;
  let refusal: string | undefined;
  let unfrozen: string | undefined;
  for (;;) {
    try {
      return { ...(await attempt(options, terms)), consistent: terms.consistent, refusal, unfrozen };
    } catch (error) {
      options.signal.throwIfAborted();
      const refused = error instanceof EngineFaultError || error instanceof BackupFailedError;
      if (!refused) throw error;
      // A machine's name may contain anything.
      const reason = error.message.replaceAll(options.vm.name, "");
      const conceded = relaxStart(terms, reason, options.quiesce);
      if (conceded === undefined) throw isFreezeFailure(terms, reason) ? notQuiesced(options.vm, error) : error;
      if (conceded.consistent !== terms.consistent) unfrozen = error.message;
      else refusal = `the engine cannot use the last checkpoint: ${error.message}`;
      terms = conceded;
    }
  }
}

function notQuiesced(vm: VirtualMachine, cause: Error): QuiesceError {
  return new QuiesceError(`the file systems of ${vm.name} could not be frozen: ${cause.message}`, {
    cause,
    context: { vm: vm.id },
    hint: (field) =>
      `Does the QEMU guest agent run in the guest? ${field("quiesce", "try")} takes the point without, and says so.`,
  });
}

async function attempt(
  options: StartBackup,
  { checkpointId, consistent }: StartOptions,
): Promise<{ backup: Backup; handle: LedgerHandle }> {
  const { api, capabilities, ledger, vm, diskIds, signal } = options;
  const description = runTag(ledger.runId);
  const ownId = capabilities.ownBackupId ? { id: randomUUID() } : {};
  const handle = await ledger.open({
    kind: "backup",
    title: `backup of ${vm.name}`,
    detail: { vmId: vm.id, tag: description, ...(ownId.id === undefined ? {} : { backupId: ownId.id }) },
  });
  const request = {
    diskIds,
    description,
    ...ownId,
    ...(checkpointId === undefined ? {} : { fromCheckpointId: checkpointId }),
    ...(consistent ? { requireConsistency: true } : {}),
  };
  const created = await create(api, vm.id, request, signal).catch(async (error: unknown) => {
    if (wasRefused(error, signal)) await handle.close();
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

/** Looks up by its tag a start whose answer was lost or cancelled, instead of starting a second one. */
async function create(api: EngineApi, vmId: string, request: NewBackup, signal: AbortSignal): Promise<Backup> {
  try {
    return await api.backups.start(vmId, request, signal);
  } catch (error) {
    if (wasRefused(error, signal)) throw error;
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
    { deadlineMs: readyDeadlineMs, signal, justAsked: true },
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
