import type { Repository } from "@ovault/core";
import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { applyChanges, type MemoryStore, type ModelDisk } from "@ovault/testkit";

import { ModelRuns } from "../../support/model-runs.ts";

export const BLOCK_BYTES = 512;

export const image: ModelDisk = {
  bytes: Uint8Array.from({ length: 6000 }, (_, at) => (at % 1500 < 700 ? 0 : (at >> 6) & 0xff)),
  extents: [{ offset: 0, length: 6000, kind: "data" }],
};
export const changed = applyChanges(image, { changes: [{ at: 0.5, length: 600, seed: 7 }], grownBy: 0 });

/** Runs of a machine with the disk `a` into a new repository. */
export async function repositoryRuns(memory: MemoryStore): Promise<ModelRuns<Repository>> {
  return await ModelRuns.open(await smallRepository(memory, BLOCK_BYTES), { a: image });
}
