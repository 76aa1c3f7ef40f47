import { DeadlineError } from "@ovault/contract";
import { arrived, pending, removeDisk, removeVm, unlessRefused, type EngineApi } from "@ovault/ovirt";

export interface MachineRemoval {
  readonly vmId: string;
  readonly name: string;
  /** Removed with it; disks that were added to it since then stay. */
  readonly diskIds: readonly string[];
  /** How long the guest may take to power off by itself before it is powered off; 0: it is not asked. */
  readonly patienceMs: number;
}

/** Powers a machine off, asking its guest first, and removes it with its disks. Succeeds if it is gone already. */
export async function removeMachine(
  api: EngineApi,
  { vmId, name, diskIds, patienceMs }: MachineRemoval,
  signal: AbortSignal,
): Promise<void> {
  const found = await api.vms.find(vmId, signal);
  if (found?.status === "up" && patienceMs > 0) await askToPowerOff(api, { vmId, name, patienceMs }, signal);
  await removeVm(api, vmId);
  for (const diskId of diskIds) await removeDisk(api, diskId);
}

async function askToPowerOff(
  api: EngineApi,
  { vmId, name, patienceMs }: Pick<MachineRemoval, "vmId" | "name" | "patienceMs">,
  signal: AbortSignal,
): Promise<void> {
  // A guest without an agent, or one that does not listen, is powered off.
  await unlessRefused(api.vms.shutdown(vmId, signal));
  try {
    await api.wait(
      `the guest of ${name} to power off`,
      async (pollSignal) => {
        const status = (await api.vms.find(vmId, pollSignal))?.status;
        return status === undefined || status === "down" ? arrived(undefined) : pending(status);
      },
      { deadlineMs: patienceMs, signal },
    );
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
  }
}
