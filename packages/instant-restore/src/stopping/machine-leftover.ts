import { z } from "zod";

import type { LedgerEntry, Leftover } from "@ovault/contract";
import { goneLeftover, type EngineApi } from "@ovault/ovirt";

import { removeMachine } from "./remove-machine.ts";

const machineDetail = z.object({ vmId: z.string(), name: z.string(), diskIds: z.array(z.string()) });

/** A machine whose end a run began. */
export async function machineLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { vmId, name, diskIds } = machineDetail.parse(entry.detail);
  const disks = await Promise.all(diskIds.map((id) => api.disks.find(id, signal)));
  const isThere = (await api.vms.find(vmId, signal)) !== undefined || disks.some((disk) => disk !== undefined);
  if (!isThere) return goneLeftover(entry);
  return {
    entry,
    gone: false,
    action: `delete the ${entry.title} (${vmId}) with its disks, which was to be stopped`,
    remove: (removal) => removeMachine(api, { vmId, name, diskIds, patienceMs: 0 }, removal),
  };
}
