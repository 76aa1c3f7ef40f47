import { arrived, pending, type Checkpoint, type EngineApi } from "@ovault/ovirt";

/** Nothing depends on the removal, so a run waits only this long. */
const REMOVAL_DEADLINE_MS = 2 * 60_000;

/** Removes a checkpoint and waits until it is gone: while one is removed, the engine refuses the next. */
export async function removeCheckpoint(
  api: EngineApi,
  vmId: string,
  checkpointId: string,
  signal: AbortSignal,
): Promise<void> {
  await api.checkpoints.delete(vmId, checkpointId, signal);
  await api.wait(
    `checkpoint ${checkpointId} to be removed`,
    async (pollSignal) =>
      (await api.checkpoints.find(vmId, checkpointId, pollSignal)) === undefined
        ? arrived(undefined)
        : pending("still there"),
    { deadlineMs: REMOVAL_DEADLINE_MS, signal, justAsked: true },
  );
}

/**
 * Which of these checkpoints exist, oldest first: the order in which the engine can delete them. Leaves others on the
 * virtual machine alone: they may belong to another repository's chain.
 */
export function existingCheckpoints(checkpoints: readonly Checkpoint[], ids: readonly string[]): readonly string[] {
  const parents = new Map(checkpoints.map(({ id, parentId }) => [id, parentId]));
  const depth = (id: string): number => {
    let steps = 0;
    for (let at = parents.get(id); at !== undefined && steps < parents.size; at = parents.get(at)) steps += 1;
    return steps;
  };
  return [...new Set(ids)].filter((id) => parents.has(id)).toSorted((a, b) => depth(a) - depth(b));
}
