import type { EngineCaller } from "../engine/engine-caller.ts";
import { parseCheckpoint, type Checkpoint } from "../model/checkpoint.ts";
import { parseList } from "../model/parse-list.ts";
import { orUndefined } from "./if-missing.ts";
import { path } from "./paths.ts";

/** `/vms/{id}/checkpoints` */
export class CheckpointService {
  readonly #engine: EngineCaller;

  constructor(engine: EngineCaller) {
    this.#engine = engine;
  }

  async list(vmId: string, signal: AbortSignal): Promise<readonly Checkpoint[]> {
    const root = await this.#engine.get(path("vms", vmId, "checkpoints"), { signal });
    return parseList(root, "checkpoints", "checkpoint", parseCheckpoint);
  }

  /** @throws EntityNotFoundError */
  async get(vmId: string, checkpointId: string, signal: AbortSignal): Promise<Checkpoint> {
    return parseCheckpoint(await this.#engine.get(path("vms", vmId, "checkpoints", checkpointId), { signal }));
  }

  find(vmId: string, checkpointId: string, signal: AbortSignal): Promise<Checkpoint | undefined> {
    return orUndefined(this.get(vmId, checkpointId, signal));
  }

  /** Before 4.4.7 only the oldest checkpoint of a running machine can be deleted. Succeeds if it is gone already. */
  async delete(vmId: string, checkpointId: string, signal: AbortSignal): Promise<void> {
    await orUndefined(this.#engine.delete(path("vms", vmId, "checkpoints", checkpointId), { signal }));
  }
}
