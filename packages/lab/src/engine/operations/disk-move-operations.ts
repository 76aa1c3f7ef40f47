import { attachmentOf } from "../attachments.ts";
import type { EngineCore } from "../engine-core.ts";
import { badRequest, conflict } from "../engine-fault.ts";
import type { DiskState, JobState, StorageDomain, VmState } from "../engine-state.ts";
import { eventCodes } from "../event-codes.ts";
import { known } from "../inventory.ts";
import type { SnapshotOperations } from "./snapshot-operations.ts";

const LIVE_SNAPSHOT = "Auto-generated for Live Storage Migration";
const LOCK = "Moving disks";
/** Engines leave that much of a domain free (`critical_space_action_blocker`). */
const NO_SPACE = "Cannot move Virtual Disk. Low disk space on Storage Domain";

/** Moves of disks to other storage domains: live while a running machine has them plugged, else cold. */
export class DiskMoveOperations {
  readonly #core: EngineCore;
  readonly #snapshots: SnapshotOperations;
  /** Moves under way, by machine: they run one after the other (MoveOrCopyDiskCommand, LiveMigrateDiskCommand). */
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(core: EngineCore, snapshots: SnapshotOperations) {
    this.#core = core;
    this.#snapshots = snapshots;
  }

  /**
   * Answers at once; the disk is locked until it is there, or still where it was. A live move takes a snapshot first and
   * removes it in the end; on failure it stays.
   */
  move(diskId: string, target: StorageDomain, correlationId: string): JobState {
    const disk = this.#core.disk(diskId);
    const action = "move Virtual Disk";
    const { storageDomains } = this.#core.state.inventory;
    const source = known(storageDomains, disk.storageDomainId);
    this.#core.requireOk([disk], action);
    if (disk.shareable) throw badRequest(`Cannot ${action}. Shareable disks are not supported for this action.`);
    if (source.id === target.id) throw conflict(`Cannot ${action}. Source and target domains must be different.`);
    if (source.dataCenterId !== target.dataCenterId) {
      throw conflict(`Cannot ${action}. The target Data Center does not contain the Virtual Disk.`);
    }
    for (const domain of [source, target]) this.#requireActive(domain, action);
    if (this.#core.faults.mode("low-space") !== "off") throw conflict(`${NO_SPACE} ${target.name}.`);
    const [vm] = this.#core.vmsOf(diskId);
    if (vm !== undefined && vm.lockedBy !== LOCK) this.#core.requireFree(vm, action);
    if (vm !== undefined) this.#core.requireNotAttachedElsewhere(vm.snapshots, action);
    const isLive = vm !== undefined && vm.status !== "down" && attachmentOf(vm, diskId).active;
    if (isLive && vm.status !== "up") throw conflict(`Cannot ${action}. The VM is ${vm.status}.`);
    const place = `from ${source.name} to ${target.name}`;
    disk.status = "locked";
    const unlock = vm === undefined ? () => {} : this.#core.lock(vm, LOCK);
    this.#event(eventCodes.diskMoving, `User admin@internal moving disk ${disk.alias} to domain ${target.name}.`, vm);
    const before = vm === undefined ? undefined : this.#underWay.get(vm.id);
    const done = Promise.withResolvers<void>();
    if (vm !== undefined) this.#underWay.set(vm.id, done.promise);
    return this.#core.runJob(
      `${isLive ? "Migrating" : "Moving"} Disk ${disk.alias} ${place}`,
      correlationId,
      async () => {
        try {
          await before;
          await this.#core.background.steps();
          if (isLive) await this.#moveLive(vm, disk, target);
          else await this.#moveData(disk, target);
          this.#event(eventCodes.diskMoved, `Disk ${disk.alias} was moved to domain ${target.name}.`, vm);
        } catch (error) {
          const text = `Failed to move disk ${disk.alias} to domain ${target.name}.`;
          this.#event(eventCodes.diskNotMoved, text, vm, "error");
          throw error;
        } finally {
          disk.status = "ok";
          this.#core.store.changed();
          done.resolve();
          if (vm === undefined || this.#underWay.get(vm.id) === done.promise) {
            if (vm !== undefined) this.#underWay.delete(vm.id);
            unlock();
          }
        }
      },
    );
  }

  async #moveLive(vm: VmState, disk: DiskState, target: StorageDomain): Promise<void> {
    const snapshot = await this.#snapshots.takeNow(vm, [disk], LIVE_SNAPSHOT);
    await this.#core.background.steps();
    await this.#moveData(disk, target);
    await this.#core.background.steps();
    try {
      if (this.#core.faults.strikes("move-snapshot-stays")) throw new Error("the host could not merge");
      await this.#snapshots.removeNow(vm, snapshot);
    } catch {
      const text = `Failed to delete snapshot '${LIVE_SNAPSHOT}' for VM '${vm.name}'.`;
      this.#event(eventCodes.snapshotNotRemoved, text, vm, "error");
    }
  }

  async #moveData(disk: DiskState, target: StorageDomain): Promise<void> {
    if (this.#core.faults.strikes("move-no-space")) throw new Error(`${NO_SPACE} ${target.name}.`);
    await this.#core.hypervisor.moveDisk(disk.id, {
      storageDomainId: target.id,
      beforeChange: async () => {
        await this.#core.hang("move-hang");
        if (this.#core.faults.strikes("move-failure")) throw new Error("the host could not replicate the disk");
      },
    });
    disk.storageDomainId = target.id;
    this.#core.store.changed();
  }

  #requireActive({ id, name }: StorageDomain, action: string): void {
    const { status = "active" } = this.#core.state.dataDomains.find((domain) => domain.id === id) ?? {};
    if (status === "active") return;
    throw conflict(`Cannot ${action}. The relevant Storage Domain's status is ${status}: ${name}.`);
  }

  #event(code: number, description: string, vm: VmState | undefined, severity: "normal" | "error" = "normal"): void {
    this.#core.journal.event(code, { description, severity, ...(vm !== undefined && { vmId: vm.id }) });
  }
}
