import type { EngineApi } from "./engine-api.ts";
import { arrived, pending } from "../engine/wait.ts";

const REMOVE_DEADLINE_MS = 15 * 60_000;

/** Removes a disk that ovault made and waits until it is gone. Resolves to false if it did not exist. */
export async function removeDisk(api: EngineApi, diskId: string): Promise<boolean> {
  const signal = AbortSignal.timeout(REMOVE_DEADLINE_MS * 2);
  if ((await api.disks.find(diskId, signal)) === undefined) return false;
  await api.disks.delete(diskId, signal);
  await api.wait(
    `disk ${diskId} to be removed`,
    async (pollSignal) => {
      const disk = await api.disks.find(diskId, pollSignal);
      return disk === undefined ? arrived(undefined) : pending(disk.status);
    },
    { deadlineMs: REMOVE_DEADLINE_MS, signal },
  );
  return true;
}
