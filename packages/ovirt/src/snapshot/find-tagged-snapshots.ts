import { inLanes, type TaggedSnapshot } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import type { Vm } from "../model/vm.ts";
import { taggedRun } from "../traces/run-tag.ts";

/** Machines asked at once. */
const AT_ONCE = 8;

/** All of them, on every machine that the user may see. */
export async function findTaggedSnapshots(api: EngineApi, signal: AbortSignal): Promise<readonly TaggedSnapshot[]> {
  const vms = await api.vms.list({}, signal);
  const found: TaggedSnapshot[] = [];
  const look = async ({ id, name }: Vm, lane: AbortSignal): Promise<void> => {
    for (const snapshot of await api.snapshots.list(id, lane)) {
      const runId = taggedRun(snapshot.description);
      if (runId !== undefined) found.push({ id: snapshot.id, vm: { id, name }, runId, date: snapshot.date });
    }
  };
  await inLanes(vms, AT_ONCE, look, signal);
  return found.toSorted((a, b) => a.vm.name.localeCompare(b.vm.name) || a.id.localeCompare(b.id));
}
