import type { DiskFormat } from "@ovault/contract";

import type { Renewals } from "../data-domain/lockspace-member.ts";
import type { DiskInterface } from "../engine/engine-state.ts";
import type { FaultMode, FaultStatus } from "../engine/faults.ts";
import type { GuestEvent } from "../engine/operations/guest-operations.ts";
import type { EngineVersion, Product } from "../engine/versions.ts";
import type { GuestWrite } from "../hypervisor/hypervisor.ts";
import type { LabStagingPlace } from "../staging/lab-staging.ts";
import type { HostChange } from "./host-changes.ts";

/**
 * Control of a running lab, from its own process or, over its socket, from another one. A VM is named by name or id, a
 * disk by id, alias or index (0 is the first: bootable disks, then the others by alias as the engine sorts), a host by
 * name or id. Unknown names throw NotFoundError, names that several have UsageError.
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
  /** On this host, or on one that the engine chooses. */
  powerOn(vm: string, host?: string): Promise<void>;
  /**
   * Moves the VM, which must be up and free, to this host, or to one that the engine chooses. Resolves when it runs
   * there.
   */
  migrate(vm: string, host?: string): Promise<void>;
  /** Changes a host or what the engine reports of it; see `hostChanges`. */
  changeHost(host: string, change: HostChange): Promise<void>;
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
  /** Name of the host where it runs. */
  readonly host?: string;
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
  /** File of the active volume; on a data domain of somebody else's NFS server with `ADDRESS:` before its path. */
  readonly path: string;
}

/** A host of the lab as it is now. */
export interface LabHostStatus {
  readonly id: string;
  readonly name: string;
  readonly cluster: string;
  /** As the engine reports it. */
  readonly status: string;
  /** Absent where this machine has no sshd. */
  readonly ssh?: LabHostSsh;
}

export interface LabHostSsh {
  readonly address: string;
  readonly port: number;
  /** The one who may log in. */
  readonly user: string;
  /** Directory of programs that the host's PATH has first. Absent for a host that the lab does not run. */
  readonly tools?: string;
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
  readonly hosts: readonly LabHostStatus[];
  /** File of the private key that logs in to the hosts. */
  readonly loginKey: string;
  /** What the hosts have at /rhev/data-center. */
  readonly dataCenters: string;
  /** Folders that the lab serves over NFS as export domains. */
  readonly staging: readonly LabStagingPlace[];
  /** Data domains on NFS servers of others. */
  readonly dataDomains: readonly LabDataDomain[];
  /** Only those that are not off. */
  readonly faults: readonly FaultStatus[];
  /** Features that do not work on this machine. */
  readonly warnings: readonly string[];
}

/** A data domain on an NFS server of others, as the engine reports it. */
export interface LabDataDomain {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  /** How the host renews its lease there, each second. Absent while no host is in the domain's lockspace. */
  readonly renewals?: Renewals;
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
  /** Command lines of processes that run on hosts. */
  readonly hostProcesses: readonly string[];
}
