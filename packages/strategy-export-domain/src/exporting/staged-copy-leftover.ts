import { z } from "zod";

import type { LedgerEntry, Leftover } from "@ovault/contract";
import { goneLeftover, type EngineApi } from "@ovault/ovirt";
import { ExportDomain } from "@ovault/storage-domain";

import { unlocked } from "../cloning/remove-clone.ts";
import { openStaging } from "../staging/open-staging.ts";
import { removeStaged } from "./staged-copy.ts";

/** No run waits for it: the engine may still export. */
const DEADLINE_MS = 6 * 3_600_000;

const copyDetail = z.object({
  folder: z.string(),
  domainId: z.string(),
  vmId: z.string(),
  imageIds: z.array(z.string()),
});

/** Files of a machine that a run had put into an export domain, or the engine for it. */
export async function stagedCopyLeftover(api: EngineApi, entry: LedgerEntry, signal: AbortSignal): Promise<Leftover> {
  const { folder, domainId, ...machine } = copyDetail.parse(entry.detail);
  const machineInEngine = await api.vms.find(machine.vmId, signal);
  const isLocked = machineInEngine?.status === "image_locked";
  if (!isLocked && (await isGone(api, { folder, domainId, machine }, signal))) return goneLeftover(entry);
  return {
    entry,
    gone: false,
    action: `remove the ${entry.title} from ${folder}`,
    remove: async () => {
      await unlocked(api, machine.vmId, DEADLINE_MS);
      await using domain = await openStaging(folder, domainId);
      await removeStaged(domain, machine);
    },
  };
}

interface Place {
  readonly folder: string;
  readonly domainId: string;
  readonly machine: { readonly vmId: string; readonly imageIds: readonly string[] };
}

/** A domain that neither the folder nor the engine has was removed with all that lay in it. */
async function isGone(api: EngineApi, { folder, domainId, machine }: Place, signal: AbortSignal): Promise<boolean> {
  const domain = await ExportDomain.open(folder, domainId).catch(() => undefined);
  if (domain === undefined) {
    const domains = await api.infrastructure.storageDomains(signal);
    return !domains.some(({ id }) => id === domainId);
  }
  try {
    const [machines, images] = await Promise.all([domain.machineIds(), domain.imageIds()]);
    return !machines.includes(machine.vmId) && !machine.imageIds.some((id) => images.includes(id));
  } finally {
    await domain[Symbol.asyncDispose]();
  }
}
