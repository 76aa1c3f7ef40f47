import { arrived, EngineConflictError, EntityNotFoundError, pending, type EngineApi } from "@ovault/ovirt";

/** For everything beside the waits: conflicts, and restarts of the engine. */
const GRACE_MS = 15 * 60_000;

export interface DiskAtProxy {
  readonly proxyVmId: string;
  readonly diskId: string;
  /** For the guest to release the device, and again for the engine to detach it. */
  readonly deadlineMs: number;
}

/**
 * Unplugs a disk from the proxy VM, detaches it, and waits until that is done. Keeps the disk itself. Resolves to false
 * when it was not attached. Independent of a run: has its own deadlines.
 *
 * @throws DeadlineError naming what it hangs in.
 */
export async function detachDisk(api: EngineApi, { proxyVmId, diskId, deadlineMs }: DiskAtProxy): Promise<boolean> {
  const signal = AbortSignal.timeout(2 * deadlineMs + GRACE_MS);
  const wait = { deadlineMs, signal };
  const found = await api.vms.findDiskAttachment(proxyVmId, diskId, signal);
  if (found === undefined) return false;
  if (found.active) await unplug(api, proxyVmId, diskId, signal);
  await api.wait(
    `disk ${diskId} to be unplugged from the proxy VM`,
    async (pollSignal) => {
      const now = await api.vms.findDiskAttachment(proxyVmId, diskId, pollSignal);
      return now?.active === true ? pending("still plugged in") : arrived(undefined);
    },
    { ...wait, justAsked: found.active },
  );
  await api.vms.detachDisk(proxyVmId, diskId, signal);
  await api.wait(
    `disk ${diskId} to be detached from the proxy VM`,
    async (pollSignal) => {
      const now = await api.vms.findDiskAttachment(proxyVmId, diskId, pollSignal);
      return now === undefined ? arrived(undefined) : pending("still attached");
    },
    wait,
  );
  return true;
}

async function unplug(api: EngineApi, proxyVmId: string, diskId: string, signal: AbortSignal): Promise<void> {
  try {
    await api.vms.updateDiskAttachment(proxyVmId, diskId, { active: false }, signal);
  } catch (error) {
    // It was detached meanwhile, or an earlier request is unplugging it.
    if (!(error instanceof EntityNotFoundError || error instanceof EngineConflictError)) throw error;
  }
}
