import { z } from "zod";

import type { Leftover, LedgerEntry } from "@ovault/contract";
import {
  endTransfer,
  EngineFaultError,
  goneLeftover,
  hasTag,
  isFinalBackupPhase,
  isFinalTransferPhase,
  type Backup,
  type EngineApi,
  type LeftoverKinds,
} from "@ovault/ovirt";

import { endBackup } from "./end-backup.ts";
import { removeCheckpoint } from "./retire-checkpoints.ts";

const END_DEADLINE_MS = 30 * 60_000;

const backupDetail = z.object({
  vmId: z.string(),
  tag: z.string(),
  backupId: z.string().optional(),
  checkpointId: z.string().optional(),
});
const checkpointDetail = z.object({ vmId: z.string(), checkpointId: z.string() });

/** Kinds that only this strategy makes: a backup, and the checkpoint that the engine makes with it. */
export const OWN_LEFTOVERS: LeftoverKinds = {
  backup: { lookUp: backupLeftover, before: ["transfer", "checkpoint"] },
  checkpoint: { lookUp: checkpointLeftover, before: ["snapshot"] },
};

async function backupLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { vmId, tag, backupId, checkpointId } = backupDetail.parse(entry.detail);
  if ((await api.vms.find(vmId, signal)) === undefined) return goneLeftover(entry);
  const isOurs = ({ id, description }: Backup): boolean => id === backupId || hasTag(description, tag);
  const backups = (await api.backups.list(vmId, signal)).filter(isOurs);
  const open = backups.find(({ phase }) => !isFinalBackupPhase(phase));
  if (open === undefined) {
    // An open entry means that no point was sealed: the checkpoint of an ended backup is useless.
    const left = checkpointId ?? backups.find(({ toCheckpointId }) => toCheckpointId !== undefined)?.toCheckpointId;
    return left === undefined ? goneLeftover(entry) : await unusedCheckpoint(api, entry, vmId, left, signal);
  }
  return {
    entry,
    gone: false,
    action: `end ${entry.title} (${open.id}, ${open.phase ?? "in transition"}), its transfers and its checkpoint`,
    remove: async (removal) => {
      const transfers = await api.transfers.list(removal);
      const ours = transfers.filter((one) => one.backupId === open.id && !isFinalTransferPhase(one.phase));
      await Promise.all(ours.map((one) => endTransfer(api, one.id, "cancel")));
      const end = await endBackup(api, vmId, open.id, END_DEADLINE_MS);
      await dropCheckpoint(api, vmId, end.checkpointId, removal);
    },
  };
}

/** Before 4.4.7 the engine deletes a checkpoint only after all older ones; this one has its own entry for later. */
async function dropCheckpoint(
  api: EngineApi,
  vmId: string,
  checkpointId: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (checkpointId === undefined) return;
  try {
    await removeCheckpoint(api, vmId, checkpointId, signal);
  } catch (error) {
    if (!(error instanceof EngineFaultError)) throw error;
  }
}

function checkpointLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { vmId, checkpointId } = checkpointDetail.parse(entry.detail);
  return unusedCheckpoint(api, entry, vmId, checkpointId, signal);
}

async function unusedCheckpoint(
  api: EngineApi,
  entry: LedgerEntry,
  vmId: string,
  checkpointId: string,
  signal: AbortSignal,
): Promise<Leftover> {
  const there = (await api.checkpoints.find(vmId, checkpointId, signal)) !== undefined;
  if (!there) return goneLeftover(entry);
  return {
    entry,
    gone: false,
    action: `remove ${entry.kind === "checkpoint" ? "" : "the checkpoint of "}${entry.title} (${checkpointId}), which no recovery point uses`,
    remove: (removal) => removeCheckpoint(api, vmId, checkpointId, removal),
  };
}
