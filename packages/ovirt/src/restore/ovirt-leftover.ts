import { z } from "zod";

import { ManagerError } from "@ovault/core";
import type { Leftover, LedgerEntry } from "@ovault/core";

import type { EngineApi } from "../api/engine-api.ts";
import { isFinalTransferPhase } from "../model/image-transfer.ts";
import type { ImageTransfer } from "../model/image-transfer.ts";
import { hasTag } from "../run-tag.ts";
import { endTransfer } from "../transfer/end-transfer.ts";
import { removeDisk } from "./remove-disk.ts";
import { removeVm } from "./remove-vm.ts";

const transferDetail = z.object({
  diskId: z.string(),
  direction: z.enum(["download", "upload"]),
  backupId: z.string().optional(),
  transferId: z.string().optional(),
});
const diskDetail = z.object({ diskId: z.string() });
const vmDetail = z.object({
  name: z.string(),
  tag: z.string(),
  vmId: z.string().optional(),
  /** Made for it; their own entries are closed before the machine's. */
  diskIds: z.array(z.string()).default([]),
});

/** Looks up a transfer, disk or virtual machine that a dead run left: what every strategy for oVirt makes. */
export async function ovirtLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  switch (entry.kind) {
    case "transfer":
      return await transferLeftover(api, entry, signal);
    case "disk":
      return await diskLeftover(api, entry, signal);
    case "vm":
      return await vmLeftover(api, entry, signal);
    default:
      return unknownLeftover(entry);
  }
}

async function transferLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { diskId, direction, backupId, transferId } = transferDetail.parse(entry.detail);
  // Its id was not written down any more. A backup of ours, or a disk that we made to fill it, tells whose it is.
  const isOurs = (transfer: ImageTransfer): boolean =>
    transfer.diskId === diskId && transfer.backupId === backupId && (backupId !== undefined || direction === "upload");
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

async function diskLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { diskId } = diskDetail.parse(entry.detail);
  if ((await api.disks.find(diskId, signal)) === undefined) return goneLeftover(entry);
  return {
    entry,
    gone: false,
    action: `delete ${entry.title} (${diskId}), whose restore was not finished`,
    remove: async () => void (await removeDisk(api, diskId)),
  };
}

async function vmLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { name, tag, vmId, diskIds } = vmDetail.parse(entry.detail);
  const found = vmId === undefined ? await api.vms.byName(name, signal) : await api.vms.find(vmId, signal);
  const ours = found !== undefined && (found.id === vmId || hasTag(found.description, tag));
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

/** What an entry names is not there any more. */
export function goneLeftover(entry: LedgerEntry): Leftover {
  return { entry, gone: true, action: "nothing left", remove: async () => {} };
}

/** Written by a newer release: better left to it, or to a person. */
function unknownLeftover(entry: LedgerEntry): Leftover {
  return {
    entry,
    gone: false,
    action: `nothing: this release does not know what a "${entry.kind}" is`,
    remove: async () => {
      throw new ManagerError(`${entry.title} must be removed by hand, or with the release that made it`, {
        context: { kind: entry.kind, run: entry.runId },
      });
    },
  };
}
