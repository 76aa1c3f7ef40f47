import { conflict, notFound, badRequest } from "../engine-fault.ts";
import type { EngineCore } from "../engine-core.ts";
import type { CheckpointState, VmState } from "../engine-state.ts";

/** Life of checkpoints: each is a dirty bitmap in each of its disks. */
export class CheckpointOperations {
  readonly #core: EngineCore;

  constructor(core: EngineCore) {
    this.#core = core;
  }

  /** @throws EngineFault 404 */
  get(vmId: string, checkpointId: string): CheckpointState {
    const checkpoint = this.#core.vm(vmId).checkpoints.find(({ id }) => id === checkpointId);
    if (checkpoint === undefined) throw notFound();
    return checkpoint;
  }

  /** Answers at once; the checkpoint is gone soon after. */
  remove(vmId: string, checkpointId: string): void {
    const vm = this.#core.vm(vmId);
    const checkpoint = this.get(vmId, checkpointId);
    const action = "remove VM checkpoint";
    this.#core.requireFree(vm, action);
    if (!this.#core.behaviour.anyCheckpointRemovable) {
      if (vm.status !== "up") throw conflict(`Cannot ${action}. The VM is not running.`);
      if (vm.checkpoints[0] !== checkpoint) {
        throw badRequest(`Cannot ${action}. The checkpoint is not the root of the chain.`);
      }
    }
    const release = this.#core.lock(vm, "removing a checkpoint");
    this.#core.background.start(async () => {
      try {
        await this.#core.background.steps();
        await this.discard(vm, checkpoint);
      } finally {
        release();
      }
    });
  }

  /** Removes all checkpoints of a machine after its chain turned out to be broken. */
  async removeAll(vm: VmState): Promise<void> {
    for (const checkpoint of vm.checkpoints.toReversed()) await this.discard(vm, checkpoint);
  }

  /** Removes one checkpoint now, in any state. */
  async discard(vm: VmState, checkpoint: CheckpointState): Promise<void> {
    const disks = checkpoint.diskIds.filter((diskId) => diskId in this.#core.state.disks);
    await this.#core.hypervisor.removeCheckpoint(disks, checkpoint.id);
    forget(vm, checkpoint);
    this.#core.store.changed();
  }
}

function forget(vm: VmState, checkpoint: CheckpointState): void {
  const index = vm.checkpoints.indexOf(checkpoint);
  if (index < 0) return;
  vm.checkpoints.splice(index, 1);
  const child = vm.checkpoints[index];
  if (child !== undefined) child.parentId = checkpoint.parentId;
}
