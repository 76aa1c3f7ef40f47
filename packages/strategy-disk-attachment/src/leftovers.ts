import { z } from "zod";

import type { Leftover, LedgerEntry } from "@ovault/contract";
import { goneLeftover, type EngineApi, type LeftoverKinds } from "@ovault/ovirt";

import { detachDisk } from "./detach-disk.ts";

const DEADLINE_MS = 10 * 60_000;

const attachmentDetail = z.object({ proxyVmId: z.string(), diskId: z.string() });

/** The kind that only this strategy makes: a disk attached to the proxy VM. */
export const OWN_LEFTOVERS: LeftoverKinds = {
  attachment: { lookUp: attachmentLeftover, before: ["snapshot", "disk"] },
};

async function attachmentLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { proxyVmId, diskId } = attachmentDetail.parse(entry.detail);
  const found = await api.vms.findDiskAttachment(proxyVmId, diskId, signal);
  if (found === undefined) return goneLeftover(entry);
  return {
    entry,
    gone: false,
    action: `unplug and detach ${entry.title} (${diskId}); the disk itself stays`,
    remove: async () => void (await detachDisk(api, { proxyVmId, diskId, deadlineMs: DEADLINE_MS })),
  };
}
