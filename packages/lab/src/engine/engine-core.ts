import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { ImageioDaemon } from "../imageio/imageio-daemon.ts";
import { ownAttachments } from "./attachments.ts";
import type { Background } from "./background.ts";
import { EngineFault, conflict, notFound } from "./engine-fault.ts";
import type {
  BackupState,
  DiskState,
  EngineState,
  JobState,
  SnapshotState,
  TransferState,
  VmState,
} from "./engine-state.ts";
import type { FaultSwitches } from "./faults.ts";
import type { Journal } from "./journal.ts";
import type { StateStore } from "./state-store.ts";
import type { EngineBehaviour } from "./versions.ts";

/** Parts that every operation of the engine shares. */
export interface EngineParts {
  /** Directory of the lab. */
  readonly directory: string;
  readonly store: StateStore;
  readonly behaviour: EngineBehaviour;
  readonly hypervisor: Hypervisor;
  readonly imageio: ImageioDaemon;
  readonly faults: FaultSwitches;
  readonly background: Background;
  readonly journal: Journal;
}

/** The parts, with look-ups and locks shared by operations. */
export class EngineCore {
  readonly directory: string;
  readonly store: StateStore;
  readonly behaviour: EngineBehaviour;
  readonly hypervisor: Hypervisor;
  readonly imageio: ImageioDaemon;
  readonly faults: FaultSwitches;
  readonly background: Background;
  readonly journal: Journal;

  constructor(parts: EngineParts) {
    this.directory = parts.directory;
    this.store = parts.store;
    this.behaviour = parts.behaviour;
    this.hypervisor = parts.hypervisor;
    this.imageio = parts.imageio;
    this.faults = parts.faults;
    this.background = parts.background;
    this.journal = parts.journal;
  }

  get state(): EngineState {
    return this.store.state;
  }

  /** @throws EngineFault 404 */
  vm(id: string): VmState {
    return found(this.state.vms[id]);
  }

  /** @throws EngineFault 404 */
  disk(id: string): DiskState {
    return found(this.state.disks[id]);
  }

  /** The machines that have the disk itself attached, not a snapshot of it. */
  vmsOf(diskId: string): readonly VmState[] {
    return Object.values(this.state.vms).filter((vm) => ownAttachments(vm).some((a) => a.diskId === diskId));
  }

  /** A snapshot with its machine. */
  snapshot(id: string): { readonly vm: VmState; readonly snapshot: SnapshotState } | undefined {
    for (const vm of Object.values(this.state.vms)) {
      const snapshot = vm.snapshots.find((candidate) => candidate.id === id);
      if (snapshot !== undefined) return { vm, snapshot };
    }
    return undefined;
  }

  /** @throws EngineFault 404 */
  frozenVolume(snapshotId: string, diskId: string): string {
    return found(this.snapshot(snapshotId)?.snapshot.volumes.find((volume) => volume.diskId === diskId)).volumeId;
  }

  /** @throws EngineFault 409 while another machine has one of these snapshots. */
  requireNotAttachedElsewhere(snapshots: readonly SnapshotState[], action: string): void {
    const ids = new Set(snapshots.map(({ id }) => id));
    for (const vm of Object.values(this.state.vms)) {
      const attached = vm.attachments.find(({ snapshotId }) => snapshotId !== undefined && ids.has(snapshotId));
      if (attached === undefined) continue;
      const { alias } = this.disk(attached.diskId);
      throw conflict(`Cannot ${action}: A snapshot of disk ${alias} is attached to another VM (${vm.name}).`);
    }
  }

  /** The backup that runs on a machine now. */
  runningBackup(vmId: string): BackupState | undefined {
    return Object.values(this.state.backups).find(
      (backup) => backup.vmId === vmId && backup.phase !== "succeeded" && backup.phase !== "failed",
    );
  }

  /** Transfers that are not over. `finished_cleanup` counts as unfinished, as in the engine. */
  openTransfers(): readonly TransferState[] {
    return Object.values(this.state.transfers).filter(
      ({ phase }) => phase !== "finished_success" && phase !== "finished_failure",
    );
  }

  /** @throws EngineFault 409 when a backup or another operation holds the machine. */
  requireFree(vm: VmState, action: string): void {
    if (this.runningBackup(vm.id) !== undefined) {
      throw conflict(`Cannot ${action}. The VM ${vm.name} is during a backup operation.`);
    }
    if (vm.lockedBy !== undefined) {
      throw conflict(`Cannot ${action}. Related operation is currently in progress: ${vm.lockedBy}.`);
    }
  }

  /** @throws EngineFault 409 when a disk is not `ok`. */
  requireOk(disks: readonly DiskState[], action: string): void {
    const busy = disks.filter((disk) => disk.status !== "ok");
    if (busy.length === 0) return;
    const names = busy.map((disk) => disk.alias).join(", ");
    const state = busy.some((disk) => disk.status === "illegal") ? "illegal" : "locked";
    throw conflict(`Cannot ${action}: Disks ${names} are ${state}. Please try again in a few minutes.`);
  }

  /** Holds a machine's lock until the returned function is called. */
  lock(vm: VmState, reason: string): () => void {
    vm.lockedBy = reason;
    this.store.changed();
    return () => {
      delete vm.lockedBy;
      this.store.changed();
    };
  }

  /** Blocks the caller while the fault is on: for a hundred steps once, or until it is off. */
  async hang(
    fault:
      | "clone-hang"
      | "export-hang"
      | "finalize-hang"
      | "import-hang"
      | "move-hang"
      | "snapshot-hang"
      | "snapshot-removal-hang"
      | "unplug-hang",
  ): Promise<void> {
    if (this.faults.mode(fault) === "once") {
      this.faults.strikes(fault);
      await this.background.steps(100);
    }
    while (this.faults.mode(fault) === "on") await this.background.steps();
  }

  /** Runs work after the answer, shown as a job. */
  runJob(description: string, correlationId: string, work: () => Promise<void>): JobState {
    const job = this.journal.startJob(description, correlationId);
    this.background.start(async () => {
      try {
        await work();
        this.journal.endJob(job, "finished");
      } catch (error) {
        this.journal.endJob(job, "failed");
        throw error;
      }
    });
    return job;
  }
}

function found<T>(entity: T | undefined): T {
  if (entity === undefined) throw notFound();
  return entity;
}

/** The text of an error for an event. */
export function reasonOf(error: unknown): string {
  if (error instanceof EngineFault) return error.detail ?? error.reason;
  return error instanceof Error ? error.message : String(error);
}
