import { z } from "zod";

import type { Leftover, LedgerEntry } from "@ovault/contract";
import { goneLeftover, lookUpLeftovers, type EngineApi } from "@ovault/ovirt";

import { letGo } from "./let-go.ts";

const DEADLINE_MS = 10 * 60_000;

const attachmentDetail = z.object({ proxyVmId: z.string(), diskId: z.string() });

/** Looks up what dead runs of this strategy left. */
export function findLeftovers(
  api: EngineApi,
  entries: readonly LedgerEntry[],
  signal: AbortSignal,
): Promise<readonly Leftover[]> {
  return lookUpLeftovers(api, entries, new Map([["attachment", attachmentLeftover]]), signal);
}

async function attachmentLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { proxyVmId, diskId } = attachmentDetail.parse(entry.detail);
  const found = await api.vms.findDiskAttachment(proxyVmId, diskId, signal);
  if (found === undefined) return goneLeftover(entry);
  return {
    entry,
    gone: false,
    action: `unplug and detach ${entry.title} (${diskId}); the disk itself stays`,
    remove: async () => void (await letGo(api, { proxyVmId, diskId, deadlineMs: DEADLINE_MS })),
  };
}
