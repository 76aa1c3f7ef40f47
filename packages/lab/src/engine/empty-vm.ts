import { randomUUID } from "node:crypto";

import type { VmState } from "./engine-state.ts";

/** A machine without disks and network cards, which is down. */
export function emptyVm(id: string, name: string, clusterId: string): VmState {
  return {
    id,
    clusterId,
    tagIds: [],
    given: false,
    name,
    settings: {},
    status: "down",
    createdAt: new Date().toISOString(),
    attachments: [],
    nics: [],
    snapshots: [],
    activeSnapshotId: randomUUID(),
    checkpoints: [],
  };
}
