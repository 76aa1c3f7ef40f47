import { z } from "zod";

import type { Leftover, LedgerEntry } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { isFinalTransferPhase, type ImageTransfer } from "../model/image-transfer.ts";
import { hasTag } from "../traces/run-tag.ts";
import { removeSnapshot } from "../snapshot/remove-snapshot.ts";
import { findSnapshot } from "../snapshot/take-snapshot.ts";
import { isTransferOf } from "../transfer/disk-transfer.ts";
import { endTransfer } from "../transfer/end-transfer.ts";
import { removeDisk } from "../api/remove-disk.ts";
import { removeVm } from "../restore/vm/remove-vm.ts";
import { goneLeftover } from "../leftovers/gone-leftover.ts";

const transferDetail = z.object({
  diskId: z.string(),
  direction: z.enum(["download", "upload"]),
  backupId: z.string().optional(),
  /** The volume of the disk that a snapshot froze. */
  volumeId: z.string().optional(),
  /** True if the snapshot was made by ovault. */
  oursAlone: z.boolean().default(false),
  transferId: z.string().optional(),
});
const diskDetail = z.object({ diskId: z.string() });
const vmDetail = z.object({
  name: z.string(),
  tag: z.string(),
  vmId: z.string().optional(),
  /** Disks made for the machine; their own entries are closed before the machine's. */
  diskIds: z.array(z.string()).default([]),
  /** The machine was complete: without the tag it has been handed over. */
  released: z.boolean().default(false),
});

const snapshotDetail = z.object({ vmId: z.string(), tag: z.string(), snapshotId: z.string().optional() });
/** A merge copies data, and no run waits for this one. */
const REMOVAL_DEADLINE_MS = 6 * 3_600_000;

/** A transfer of image data, found by its id or by what it transfers. */
export async function transferLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { diskId, direction, backupId, volumeId, oursAlone, transferId } = transferDetail.parse(entry.detail);
  // The ledger lacks its id. A transfer is ours if it reads a backup or a snapshot of ours, or fills a disk that we
  // made.
  const isOurs = (transfer: ImageTransfer): boolean =>
    isTransferOf(transfer, { diskId, backupId, volumeId }) &&
    (backupId !== undefined || oursAlone || direction === "upload");
  const transfers = await api.transfers.list(signal);
  const found = transfers.find(
    (transfer) =>
      !isFinalTransferPhase(transfer.phase) &&
      (transferId === undefined ? isOurs(transfer) : transfer.id === transferId),
  );
  if (found === undefined) return goneLeftover(entry);
  return {
    entry,
    gone: false,
    action: `cancel the ${entry.title} (${found.id}, ${found.phase})`,
    remove: async () => void (await endTransfer(api, found.id, "cancel")),
  };
}

/** A disk that a restore made. */
export async function diskLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { diskId } = diskDetail.parse(entry.detail);
  if ((await api.disks.find(diskId, signal)) === undefined) return goneLeftover(entry);
  return {
    entry,
    gone: false,
    action: `delete ${entry.title} (${diskId}), whose restore was not finished`,
    remove: async () => void (await removeDisk(api, diskId)),
  };
}

/** A virtual machine that a restore made. */
export async function vmLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { name, tag, vmId, diskIds, released } = vmDetail.parse(entry.detail);
  const found = vmId === undefined ? await api.vms.byName(name, signal) : await api.vms.find(vmId, signal);
  const ours = found !== undefined && (hasTag(found.description, tag) || (found.id === vmId && !released));
  if (!ours) return goneLeftover(entry);
  return {
    entry,
    gone: false,
    action: `delete ${entry.title} (${found.id}), whose restore was not finished`,
    remove: async () => {
      await removeVm(api, found.id);
      for (const diskId of diskIds) await removeDisk(api, diskId);
    },
  };
}

/** A snapshot that a run made, or that an older point kept. */
export async function snapshotLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { vmId, tag, snapshotId } = snapshotDetail.parse(entry.detail);
  if ((await api.vms.find(vmId, signal)) === undefined) return goneLeftover(entry);
  const found = await findSnapshot(api, { vmId, tag, snapshotId }, signal);
  if (found === undefined || !hasTag(found.description, tag)) return goneLeftover(entry);
  return {
    entry,
    gone: false,
    action: `remove the ${entry.title} (${found.id}, ${found.status ?? "in transition"}), which no recovery point uses`,
    remove: (removal) => removeSnapshot(api, { vmId, snapshotId: found.id, deadlineMs: REMOVAL_DEADLINE_MS }, removal),
  };
}
