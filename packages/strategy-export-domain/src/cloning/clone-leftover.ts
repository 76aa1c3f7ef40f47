import { z } from "zod";

import type { LedgerEntry, Leftover } from "@ovault/contract";
import { goneLeftover, hasTag, type EngineApi } from "@ovault/ovirt";

import { removeClone } from "./remove-clone.ts";

/** No run waits for it: the engine may still copy disks. */
const DEADLINE_MS = 6 * 3_600_000;

const cloneDetail = z.object({ name: z.string(), tag: z.string(), vmId: z.string().optional() });

/** A clone that a run made, found by its id or, where that is not known, by its name and its tag. */
export async function cloneLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { name, tag, vmId } = cloneDetail.parse(entry.detail);
  const found = vmId === undefined ? await api.vms.byName(name, signal) : await api.vms.find(vmId, signal);
  if (found === undefined || (found.id !== vmId && !hasTag(found.description, tag))) return goneLeftover(entry);
  return {
    entry,
    gone: false,
    action: `delete the ${entry.title} (${found.name}, ${found.status}) with its disks`,
    remove: () => removeClone(api, found.id, DEADLINE_MS),
  };
}
