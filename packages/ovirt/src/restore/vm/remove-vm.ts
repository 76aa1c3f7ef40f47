import type { EngineApi } from "../../api/engine-api.ts";
import { arrived, pending } from "../../engine/wait.ts";

const REMOVE_DEADLINE_MS = 10 * 60_000;

/** Powers a machine of ours off, removes it without its disks even if delete-protected, and waits until it is gone. */
export async function removeVm(api: EngineApi, vmId: string): Promise<void> {
  const signal = AbortSignal.timeout(REMOVE_DEADLINE_MS * 3);
  const wait = { deadlineMs: REMOVE_DEADLINE_MS, signal };
  const found = await api.vms.find(vmId, signal);
  if (found === undefined) return;
  if (found.status !== "down" && found.status !== "image_locked") await api.vms.stop(vmId, signal);
  await api.wait(
    `${found.name} to be down`,
    async (pollSignal) => {
      const status = (await api.vms.find(vmId, pollSignal))?.status;
      return status === undefined || status === "down" ? arrived(undefined) : pending(status);
    },
    wait,
  );
  if (found.deleteProtected) await api.vms.update(vmId, { deleteProtected: false }, signal);
  await api.vms.delete(vmId, { keepDisks: true }, signal);
  await api.wait(
    `${found.name} to be removed`,
    async (pollSignal) => {
      const vm = await api.vms.find(vmId, pollSignal);
      return vm === undefined ? arrived(undefined) : pending(vm.status);
    },
    wait,
  );
}
