import { hasCode } from "@ovault/core";
import type { BackupMode, BackupRequest, Disk, LedgerHandle, RunContext } from "@ovault/core";
import { keepAlive, openTransfers, undo, vmDocuments } from "@ovault/ovirt";
import type { EngineDisk, ExtentList, ImageioClient, OpenTransfer, OvirtManager } from "@ovault/ovirt";

import { isTracked } from "./assess-disk.ts";
import { BackupDiskSource } from "./backup-disk-source.ts";
import { ChangedBlockSession } from "./backup-session.ts";
import { BackupWatch } from "./backup-watch.ts";
import { readMarker } from "./base-marker.ts";
import { collectDirtyExtents } from "./collect-extents.ts";
import { endBackup } from "./end-backup.ts";
import type { ChangedBlockTrackingOptions } from "./options.ts";
import { decideMode, planModes } from "./plan-modes.ts";
import type { DiskPlan } from "./plan-modes.ts";
import { removeCheckpoint } from "./retire-checkpoints.ts";
import { startBackup } from "./start-backup.ts";
import type { StartedBackup } from "./start-backup.ts";

/** A disk whose mode is settled. */
interface DecidedDisk {
  readonly disk: Disk;
  readonly mode: BackupMode;
  readonly reason: string;
  readonly plan: DiskPlan;
}

/** Starts a backup on the engine and opens all its disks. Leaves nothing behind when it throws, as far as possible. */
export async function openBackup(
  manager: OvirtManager,
  options: ChangedBlockTrackingOptions,
  request: BackupRequest,
  context: RunContext,
): Promise<ChangedBlockSession> {
  const { vm } = request;
  const { runId, ledger, signal } = context;
  const api = manager.apiFor(runId);
  const capabilities = await manager.capabilities(signal);
  const plan = planModes(request);
  const now = await api.vms.get(vm.id, { allContent: true }, signal);
  const documents = await vmDocuments(api, now, signal);
  const endDeadlineMs = options.finalizeTimeoutSeconds * 1_000;
  const started = await startBackup({
    api,
    capabilities,
    ledger,
    vm,
    diskIds: request.disks.map(({ id }) => id),
    checkpointId: plan.checkpointId,
    readyDeadlineMs: options.readyTimeoutSeconds * 1_000,
    endDeadlineMs,
    signal,
  });
  let checkpoint: { id: string; handle: LedgerHandle; diskIds: readonly string[] } | undefined;
  try {
    checkpoint = await recordCheckpoint(started, request, context);
    const engineDisks = await api.backups.disks(vm.id, started.backup.id, signal);
    const decided = plan.disks.map((disk) => settle(disk, engineDisks, started.refusal));
    const transfers = await openTransfers(
      decided.map(({ disk }) => ({
        diskId: disk.id,
        title: disk.alias,
        direction: "download" as const,
        backupId: started.backup.id,
        size: disk.logicalBytes,
      })),
      {
        api,
        capabilities,
        ledger,
        ca: manager.client.trust.ca,
        connectionsPerHost: options.connectionsPerHost,
        inactivityTimeoutSeconds: options.inactivityTimeoutSeconds,
      },
      signal,
    );
    const clients = transfers.map(({ client }) => client);
    const stopKeepAlive = keepAlive(clients, options.inactivityTimeoutSeconds);
    const watch = new BackupWatch({ api, vm, backupId: started.backup.id }, () => {
      for (const client of clients) void client.close();
    });
    try {
      const disks = await openSources(decided, transfers, watch, signal);
      return new ChangedBlockSession({
        api,
        hooks: context.hooks,
        vm,
        documents,
        consistency: now.status === "down" ? "offline" : "crash",
        backupId: started.backup.id,
        backupHandle: started.handle,
        transfers,
        watch,
        stopKeepAlive,
        disks,
        checkpoint,
        retiring: olderCheckpoints(request),
        endDeadlineMs,
      });
    } catch (error) {
      await watch.stop();
      await stopKeepAlive();
      await Promise.allSettled(transfers.map(({ transfer }) => transfer.end("cancel")));
      throw error;
    }
  } catch (error) {
    await undo(started.handle, () => endBackup(api, vm.id, started.backup.id, endDeadlineMs));
    if (checkpoint !== undefined) {
      const { id, handle } = checkpoint;
      await undo(handle, () => removeCheckpoint(api, vm.id, id, AbortSignal.timeout(endDeadlineMs)));
    }
    throw error;
  }
}

/** From here on the checkpoint outlives the backup, so it needs an entry of its own. */
async function recordCheckpoint(
  { backup }: StartedBackup,
  { vm, disks }: BackupRequest,
  { ledger }: RunContext,
): Promise<{ id: string; handle: LedgerHandle; diskIds: readonly string[] } | undefined> {
  const id = backup.toCheckpointId;
  if (id === undefined) return undefined;
  const handle = await ledger.open({
    kind: "checkpoint",
    title: `checkpoint of ${vm.name}`,
    detail: { vmId: vm.id, checkpointId: id },
  });
  return { id, handle, diskIds: disks.filter(isTracked).map((disk) => disk.id) };
}

/** The engine's word on mode and size: a disk may have grown since the inventory was read. */
function settle(plan: DiskPlan, engineDisks: readonly EngineDisk[], refusal: string | undefined): DecidedDisk {
  const engineDisk = engineDisks.find(({ id }) => id === plan.disk.id);
  const logicalBytes = engineDisk?.provisionedBytes ?? plan.disk.logicalBytes;
  return { disk: { ...plan.disk, logicalBytes }, plan, ...decideMode(plan, engineDisk?.backupMode, refusal) };
}

async function openSources(
  decided: readonly DecidedDisk[],
  transfers: readonly OpenTransfer[],
  watch: BackupWatch,
  signal: AbortSignal,
): Promise<BackupDiskSource[]> {
  return await Promise.all(
    transfers.map(async ({ client }, index) => {
      const one = decided[index];
      if (one === undefined) throw new RangeError("more transfers than disks");
      const { disk, plan } = one;
      const changes = one.mode === "incremental" ? await findChanges(client, plan, signal) : undefined;
      const lost = one.mode === "incremental" && changes === undefined;
      const mode = lost ? plan.otherwise : one.mode;
      const reason = lost ? "the host has no record of what changed since the last checkpoint" : one.reason;
      return new BackupDiskSource({ disk, mode, reason, client, watch, changes });
    }),
  );
}

/** What changed; undefined when the host has no bitmap to tell it from. Settled before reading, as the mode depends on it. */
async function findChanges(
  client: ImageioClient,
  plan: DiskPlan,
  signal: AbortSignal,
): Promise<ExtentList | undefined> {
  try {
    return await collectDirtyExtents(client.extents("dirty", signal), plan.baseBytes ?? 0);
  } catch (error) {
    if (hasCode(error, "E_NO_DIRTY_EXTENTS")) return undefined;
    throw error;
  }
}

/** What the base point's markers name: its own checkpoint, and those that could not be removed at its time. */
function olderCheckpoints({ base, vm }: BackupRequest): string[] {
  const markers = (base?.disks ?? []).map(readMarker).filter((marker) => marker?.vmId === vm.id);
  return [
    ...new Set(markers.flatMap((marker) => (marker === undefined ? [] : [...marker.retiring, marker.checkpointId]))),
  ];
}
