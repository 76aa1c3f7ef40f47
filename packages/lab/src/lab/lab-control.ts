import type { DiskFormat } from "@ovault/contract";

import type { DiskInterface } from "../engine/engine-state.ts";
import type { FaultMode, FaultStatus } from "../engine/faults.ts";
import type { GuestEvent } from "../engine/operations/guest-operations.ts";
import type { EngineVersion, Product } from "../engine/versions.ts";
import type { GuestWrite } from "../hypervisor/hypervisor.ts";

/**
 * Control of a running lab, from its own process or, over its socket, from another one. A VM is named by name or id, a
 * disk by id, alias or index (0 is the first: bootable disks, then the others by alias as the engine sorts). Unknown
 * names throw NotFoundError.
 */
export interface LabControl {
  status(): Promise<LabStatus>;
  /** One write of the guest, flushed when it resolves. The VM must be up. */
  write(vm: string, disk: string, write: GuestWrite): Promise<void>;
  /** Writes QEMU's own view of a disk (by id or alias), as it is now, to a raw file. */
  view(disk: string, rawPath: string): Promise<void>;
  fault(name: string, mode: FaultMode): Promise<void>;
  faults(): Promise<readonly FaultStatus[]>;
  /** Not graceful: as when the host loses power. */
  powerOff(vm: string, options: { readonly graceful: boolean }): Promise<void>;
  powerOn(vm: string): Promise<void>;
  /** Moves the VM, which must be up and free, to another host. Resolves when it runs there. */
  migrate(vm: string): Promise<void>;
  guest(vm: string): Promise<LabGuest>;
  /** Makes an empty disk and attaches it, hot when the VM is up. */
  addDisk(vm: string, disk: NewDisk): Promise<LabDisk>;
  /** Detaches a disk and removes it, hot when the VM is up. */
  removeDisk(vm: string, disk: string): Promise<void>;
  /** Grows a disk. */
  resizeDisk(vm: string, disk: string, virtualBytes: number): Promise<LabDisk>;
  /** Everything that a backup product has left behind or has under way. */
  leftovers(): Promise<Leftovers>;
  /** Shuts the machines down and ends the lab. The directory stays, for another start. */
  stop(): Promise<void>;
}

export interface NewDisk {
  readonly alias: string;
  readonly virtualBytes: number;
  readonly format: DiskFormat;
  readonly interface?: DiskInterface;
}

/** A VM of the lab as it is now. */
export interface LabVm {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  /** Its own disks, without attached snapshots of other VMs' disks. */
  readonly disks: readonly LabDisk[];
  /** Absolute path of the directory that shows its guest's devices. */
  readonly devices?: string;
}

export interface LabDisk {
  readonly id: string;
  readonly alias: string;
  readonly format: DiskFormat;
  readonly virtualBytes: number;
  /** File of the active volume. */
  readonly path: string;
}

export interface LabStatus {
  readonly directory: string;
  readonly pid: number;
  readonly url: string;
  readonly user: string;
  readonly caFile: string;
  /** SHA-256, upper-case hex pairs with colons. */
  readonly caFingerprint: string;
  readonly engineVersion: EngineVersion;
  readonly product: Product;
  readonly vms: readonly LabVm[];
  /** Only those that are not off. */
  readonly faults: readonly FaultStatus[];
  /** Features that do not work on this machine. */
  readonly warnings: readonly string[];
}

/** State and log of the guest agent of a VM. */
export interface LabGuest {
  /** The file systems are frozen now. */
  readonly frozen: boolean;
  /** Oldest first, since the start of the lab. */
  readonly events: readonly GuestEvent[];
}

/** Ids and names; after a run that cleans up, every list is empty, except for the checkpoints that it keeps. */
export interface Leftovers {
  /** Backups that are not over. */
  readonly backups: readonly string[];
  /** Transfers that are not over. */
  readonly transfers: readonly string[];
  readonly lockedDisks: readonly string[];
  /** Disks that no VM has. */
  readonly unattachedDisks: readonly string[];
  /** Snapshots that another VM has attached. */
  readonly attachedSnapshots: readonly string[];
  /** Snapshots besides the active ones. */
  readonly snapshots: readonly string[];
  readonly checkpoints: readonly string[];
  /** Names of VMs that were not started with the lab. */
  readonly vms: readonly string[];
  /** Files of scratch disks. */
  readonly scratch: readonly string[];
}
