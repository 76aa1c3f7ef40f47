import { arrived, pending, type EngineApi } from "@ovault/ovirt";

/** Removes a clone of ours with its disks, and waits until it is gone. The engine removes none while it is locked. */
export async function removeClone(api: EngineApi, vmId: string, deadlineMs: number): Promise<void> {
  const signal = AbortSignal.timeout(deadlineMs * 2 + 60_000);
  const isThere = await unlocked(api, vmId, deadlineMs);
  if (!isThere) return;
  await api.vms.delete(vmId, { keepDisks: false }, signal);
  await api.wait(
    `clone ${vmId} to be removed`,
    async (pollSignal) => {
      const clone = await api.vms.find(vmId, pollSignal);
      return clone === undefined ? arrived(undefined) : pending(clone.status);
    },
    { deadlineMs: deadlineMs + 60_000, signal },
  );
}

/** Waits until the engine neither makes nor exports a clone. Resolves to false when there is none. */
export async function unlocked(api: EngineApi, vmId: string, deadlineMs: number): Promise<boolean> {
  const signal = AbortSignal.timeout(deadlineMs + 60_000);
  return await api.wait(
    `clone ${vmId} to be unlocked`,
    async (pollSignal) => {
      const clone = await api.vms.find(vmId, pollSignal);
      return clone?.status === "image_locked" ? pending(clone.status) : arrived(clone !== undefined);
    },
    { deadlineMs, signal },
  );
}
