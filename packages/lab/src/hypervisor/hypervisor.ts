import type { DiskFormat } from "@ovault/contract";

import type { NfsDomain } from "../data-domain/nfs-volumes.ts";
import type { DataVolume } from "../data-domain/volume-metadata.ts";

/**
 * The lab's hypervisor: disks are real qcow2 and raw files in a storage-domain tree
 * (`ROOT/STORAGE_DOMAIN/images/DISK/VOLUME`), and every running virtual machine is a real QEMU process holding them.
 * Dirty bitmaps, pull-mode backups and snapshots are QEMU's own.
 *
 * It only knows disks and running machines: names, clusters, statuses and locks belong to the engine above, which makes
 * one call at a time per machine. All sizes are bytes. Errors are `HypervisorError` and its kinds.
 */
export interface Hypervisor {
  /**
   * Copies an image file, qcow2 or raw, in as it is: bytes, bitmaps and backing chain. Its layers get volume ids of
   * their own, the top one `volumeId`, and name each other the way oVirt does (bare volume id, same directory).
   */
  importDisk(request: ImportDisk): Promise<DiskInfo>;
  /** An empty disk. */
  createDisk(request: CreateDisk): Promise<DiskInfo>;
  /** A new disk with the content of a frozen volume and everything below it. */
  copyVolume(from: FrozenVolume, to: Omit<CreateDisk, "virtualBytes">): Promise<DiskInfo>;
  /** Removing what is not there is not an error. Refused while a machine or an export uses the disk. */
  removeDisk(diskId: string): Promise<void>;
  /** Grows a disk, of a running machine too. Shrinking is refused. */
  resizeDisk(diskId: string, virtualBytes: number): Promise<DiskInfo>;
  /** Frees zeros in the file of the active volume. Refused while a machine or an export uses the disk. */
  sparsify(diskId: string): Promise<void>;
  diskInfo(diskId: string): Promise<DiskInfo>;
  /** Ids of all disks, in order of creation. */
  listDisks(): readonly string[];

  /**
   * Disks of this storage domain lie on an NFS server from now on, and QEMU opens them there. Only machines that start
   * afterwards can have them. `unmount` forgets the disks too; their files stay.
   */
  mount(domain: NfsDomain): Promise<void>;
  unmount(domainId: string): Promise<void>;
  /** Volumes on a mounted domain that are described there, of disks known and unknown. */
  volumesOn(domainId: string): Promise<readonly DataVolume[]>;
  /** Takes over a disk that lies on a mounted domain, after the checks of a host. From the base to the active volume. */
  adoptDisk(volumes: readonly DataVolume[]): Promise<DiskInfo>;
  /**
   * Moves a disk to another storage domain: copies its volumes when it is at rest. While a machine has it, its frozen
   * volumes are copied and the active one is mirrored; the machine changes over when both are the same. Volumes keep
   * their ids. On failure the disk stays where it was, and its machine runs on.
   */
  moveDisk(diskId: string, target: MoveTarget): Promise<void>;

  /** Starts QEMU over these disks. Without FUSE it starts, too, but shows no devices. */
  startVm(vmId: string, disks: readonly PlugDisk[]): Promise<void>;
  /**
   * Graceful: QEMU writes everything back, bitmaps stay good. Not graceful: the process is killed, as in a power cut;
   * persistent bitmaps that were in use are inconsistent from then on. Any backup of the machine is gone either way.
   * Stopping a machine that is down is not an error.
   */
  stopVm(vmId: string, options: { readonly graceful: boolean }): Promise<void>;
  /** Adds a disk to a running machine. */
  plugDisk(vmId: string, disk: PlugDisk): Promise<void>;
  /** Removes a disk from a running machine, as soon as no process has its device file open. */
  unplugDisk(vmId: string, diskId: string, signal: AbortSignal): Promise<void>;
  /** Why this machine cannot show disks as device files; `undefined` when it can. */
  whyNoDevices(): Promise<string | undefined>;
  /** "down" also after its process died. */
  vmState(vmId: string): "up" | "down";
  /**
   * One write of the guest, through QEMU, completed and flushed. The disk must belong to a running machine. While a
   * backup runs, a discard changes nothing: QEMU (7.2) drops it at the filter that saves what is overwritten.
   */
  guestWrite(diskId: string, write: GuestWrite): Promise<void>;

  /**
   * Freezes the disks at one common instant and serves them, read-only, over NBD; the guest keeps writing. A machine
   * that is down gets a QEMU process for the time of its backup (cold backup).
   */
  startBackup(request: StartBackup): Promise<readonly BackupDisk[]>;
  /** Removes exports and scratch disks; checkpoints made by the backup stay. Repeating it is not an error. */
  stopBackup(backupId: string): Promise<void>;

  /** Whether an increment of this disk can start at a checkpoint. */
  checkpointState(diskId: string, checkpointId: string): Promise<CheckpointState>;
  /** Removes the checkpoint, at any place in the chain, from these disks. Missing is not an error. */
  removeCheckpoint(diskIds: readonly string[], checkpointId: string): Promise<void>;
  /**
   * Fault: makes the bitmaps of these checkpoints really inconsistent by leaving them "in use" in the file. The disk
   * must not be in use.
   */
  breakCheckpoints(diskId: string): Promise<void>;

  /**
   * Puts a new, empty, active volume on top of each disk; all of them at one instant. Works on disks of one running
   * machine and on disks not in use.
   */
  createSnapshot(disks: readonly SnapshotDisk[]): Promise<void>;
  /**
   * Merges the volume above a snapshot's volume down into it, as oVirt does: the snapshot's volume id survives, the id
   * of the one above is gone.
   */
  removeSnapshot(diskId: string, volumeId: string): Promise<void>;

  /** Serves a volume over NBD for an image transfer. The disk must not be in use when it is to be written. */
  openExport(request: OpenExport): Promise<NbdExport>;
  /** Flushes and ends an export. Repeating it is not an error. */
  closeExport(exportId: string): Promise<void>;

  /** Writes QEMU's own view of the whole disk, as it is now, to a raw file. */
  view(diskId: string, rawPath: string): Promise<void>;

  /** Shuts every machine down gracefully and ends every process. */
  close(): Promise<void>;
}

export interface ImportDisk {
  readonly storageDomainId: string;
  readonly diskId: string;
  readonly volumeId: string;
  /** Path of a qcow2 or raw file that no process writes to. */
  readonly source: string;
  /** Id of the lowest layer, where it belongs to a template. */
  readonly baseVolumeId?: string;
}

export interface MoveTarget {
  readonly storageDomainId: string;
  /** Called when all data has arrived, before the change; rejects: the move fails. */
  readonly beforeChange: () => Promise<void>;
}

export interface FrozenVolume {
  readonly diskId: string;
  readonly volumeId: string;
}

export interface CreateDisk {
  readonly storageDomainId: string;
  readonly diskId: string;
  readonly volumeId: string;
  readonly format: DiskFormat;
  readonly virtualBytes: number;
  /** False: raw space is allocated at once. */
  readonly sparse: boolean;
  /** On block storage: bytes of data for which a QCOW2 volume has room from the start. */
  readonly initialBytes?: number;
}

/** A disk as a machine has it. */
export interface PlugDisk {
  readonly diskId: string;
  /**
   * The frozen state of the disk in this volume. The owner of the disk is not disturbed: this machine's writes go to a
   * separate scratch layer, and are lost with the plug. Absent: the disk itself.
   */
  readonly snapshotVolumeId?: string;
  /** Show the guest's view as a file. */
  readonly device?: PlugDevice;
}

export interface PlugDevice {
  /** Absolute. Its directory is made. */
  readonly path: string;
  readonly writable: boolean;
  /** Fault: an empty device of this many bytes is shown instead of the disk. */
  readonly wrongBytes?: number;
}

/** One file of a disk. */
export interface VolumeInfo {
  readonly volumeId: string;
  readonly path: string;
  readonly format: DiskFormat;
  /** Size the guest sees: QEMU rounds the size of a raw file up to whole sectors of 512 bytes. */
  readonly virtualBytes: number;
  /** Space taken on the file system. */
  readonly actualBytes: number;
  /** Length of the file. */
  readonly fileBytes: number;
}

export interface DiskInfo {
  readonly diskId: string;
  readonly storageDomainId: string;
  /** Of the active volume. */
  readonly format: DiskFormat;
  readonly virtualBytes: number;
  /** Of the active volume. */
  readonly actualBytes: number;
  /** Of all volumes together. */
  readonly totalBytes: number;
  /** From the base to the active volume, which is last. Never empty. */
  readonly chain: readonly VolumeInfo[];
}

/** A guest's write to a range of its disk. `random` gives the same bytes for the same seed and offset. */
export type GuestWrite = { readonly offset: number; readonly length: number } & (
  | { readonly kind: "pattern"; readonly pattern: number }
  | { readonly kind: "random"; readonly seed: string }
  | { readonly kind: "zero" }
  | { readonly kind: "discard" }
);

export interface StartBackup {
  readonly backupId: string;
  readonly vmId: string;
  readonly disks: readonly {
    readonly diskId: string;
    /**
     * Take what changed since this checkpoint. Where it is missing, or the disk is raw, the disk is taken in full; an
     * inconsistent one is refused with CheckpointError.
     */
    readonly fromCheckpointId?: string;
    /** Track changes from this instant under this name. Ignored for raw disks, which cannot hold bitmaps. */
    readonly toCheckpointId?: string;
  }[];
}

export interface BackupDisk {
  readonly diskId: string;
  readonly mode: "full" | "incremental";
  readonly virtualBytes: number;
  readonly nbd: NbdExport;
  /** Name of the exported bitmap (`qemu:dirty-bitmap:NAME`); set when incremental. */
  readonly dirtyBitmap?: string;
}

/** An NBD export on a unix socket. */
export interface NbdExport {
  readonly path: string;
  readonly exportName: string;
}

/** `inconsistent`: the bitmap was in use when its QEMU died, so it is unusable. */
export type CheckpointState = "ok" | "missing" | "inconsistent";

export interface SnapshotDisk {
  readonly diskId: string;
  readonly newVolumeId: string;
}

export interface OpenExport {
  /** Chosen by the caller; names the export in closeExport. */
  readonly exportId: string;
  readonly diskId: string;
  /** A volume inside the chain; the active one when absent. */
  readonly volumeId?: string;
  /** Hide the volumes below: shows only this layer, the rest as holes. */
  readonly shallow?: boolean;
  readonly writable: boolean;
}
