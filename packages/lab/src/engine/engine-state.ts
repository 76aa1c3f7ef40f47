import type { DiskFormat } from "@ovault/contract";

import type { EngineVersion, Product } from "./versions.ts";
import type { VmSettings } from "./vm-settings.ts";

/**
 * The engine's database, as plain data. Operations change it in place; StateStore keeps it on disk. Times are ISO 8601,
 * sizes bytes, keys ids.
 */
export interface EngineState {
  readonly format: 1;
  readonly version: EngineVersion;
  readonly product: Product;
  readonly inventory: Inventory;
  /** Without the root, which always exists. */
  readonly tags: TagState[];
  readonly vms: Record<string, VmState>;
  readonly disks: Record<string, DiskState>;
  readonly backups: Record<string, BackupState>;
  readonly transfers: Record<string, TransferState>;
  readonly jobs: Record<string, JobState>;
  readonly events: EventState[];
  readonly exportDomains: ExportDomainState[];
  /** Data domains on NFS servers of others; attached ones are in the inventory too. */
  readonly dataDomains: DataDomainState[];
  /** Without `Blank`, which always exists. */
  readonly templates: TemplateState[];
}

/** What machines were made from: the lowest volumes of their disks. */
export interface TemplateState {
  readonly id: string;
  readonly name: string;
  readonly clusterId: string;
  /** One for each disk. */
  readonly volumeIds: readonly string[];
}

/** An NFS export that machines are exported to and imported from. */
export interface ExportDomainState {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  /** Of the export. */
  readonly path: string;
  mountOptions?: string;
  /** Absent: unattached. */
  dataCenterId?: string;
  status: "unattached" | "active" | "maintenance";
}

export type StorageFormat = "v3" | "v4" | "v5";

/** A data domain on an NFS export that the lab does not serve. */
export interface DataDomainState {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  /** Of the export. */
  readonly path: string;
  readonly mountOptions?: string;
  readonly nfsVersion?: string;
  format: StorageFormat;
  /** Absent: unattached. */
  dataCenterId?: string;
  /** `inactive`: its host cannot reach it. */
  status: "unattached" | "locked" | "activating" | "active" | "inactive" | "preparing_for_maintenance" | "maintenance";
}

export interface Named {
  readonly id: string;
  readonly name: string;
}

/** Entities that stay while the lab runs. The first of each kind is the default. */
export interface Inventory {
  readonly dataCenters: Named[];
  readonly clusters: Cluster[];
  readonly hosts: HostState[];
  readonly storageDomains: StorageDomain[];
  readonly networks: (Named & { readonly dataCenterId: string })[];
  readonly vnicProfiles: (Named & { readonly networkId: string })[];
}

export type Cluster = Named & { readonly dataCenterId: string };
export const storageTypes = ["nfs", "posixfs", "localfs", "glusterfs", "iscsi", "fcp"] as const;
export type StorageType = (typeof storageTypes)[number];

export interface StorageDomain extends Named {
  readonly dataCenterId: string;
  /** Absent: nfs. */
  readonly storageType?: StorageType;
}

export const hostStatuses = ["up", "maintenance", "non_responsive", "non_operational", "reboot", "down"] as const;
export type HostStatus = (typeof hostStatuses)[number];

export interface HostState extends Named {
  readonly clusterId: string;
  /** Absent: up. */
  status?: HostStatus;
  /** What the engine has on record; absent: nothing answers there. */
  ssh?: HostSsh;
}

export interface HostSsh {
  readonly address: string;
  readonly port: number;
  /** The one who may log in. */
  readonly user: string;
  /** `ssh-ed25519 AAAA…` */
  readonly publicKey: string;
}

export interface TagState {
  readonly id: string;
  name: string;
  description: string;
  /** Absent: the root. */
  parentId?: string;
}

export type VmStatus =
  "down" | "wait_for_launch" | "powering_up" | "up" | "migrating" | "powering_down" | "image_locked";

export interface VmState {
  readonly id: string;
  /** Came with the lab instead of through the API. */
  readonly given: boolean;
  name: string;
  settings: VmSettings;
  clusterId: string;
  /** Where it runs; absent while it is down. */
  hostId?: string;
  /** Ids of the tags it carries. */
  tagIds: readonly string[];
  status: VmStatus;
  readonly createdAt: string;
  /** False: no guest agent answers. */
  readonly guestAgent?: boolean;
  /**
   * Directory that shows its guest's devices as files, one for each disk plugged while it is up; relative to the lab's
   * directory. Absent: none.
   */
  readonly devices?: string;
  readonly attachments: AttachmentState[];
  readonly nics: NicState[];
  /** Id of the image in its CD drive; absent: none. */
  cdId?: string;
  /** Protocols of consoles besides the one of its display. */
  furtherConsoles?: readonly string[];
  /** Absent: none. */
  numaNodes?: readonly NumaNodeState[];
  /** Oldest first, without the active one. */
  readonly snapshots: SnapshotState[];
  readonly activeSnapshotId: string;
  /** Oldest first. */
  readonly checkpoints: CheckpointState[];
  /** Absent: it has no volumes of a template. */
  templateId?: string;
  /** Its disks are being copied; the next start of a lab that ends meanwhile removes it. */
  isIncomplete?: true;
  /** Description of the holder of the machine's lock; absent when it is free. */
  lockedBy?: string;
}

export interface NumaNodeState {
  readonly id: string;
  readonly index: number;
  readonly memoryMib: number;
  /** Indexes of its virtual CPUs. */
  readonly cores: readonly number[];
  readonly tuneMode: (typeof numaTuneModes)[number];
}

export const numaTuneModes = ["interleave", "preferred", "strict"] as const;

export const diskInterfaces = ["virtio", "virtio_scsi", "ide", "sata", "spapr_vscsi"] as const;
export type DiskInterface = (typeof diskInterfaces)[number];

export interface AttachmentState {
  readonly diskId: string;
  /** Snapshot whose state of the disk is attached; the disk itself belongs to another machine. */
  readonly snapshotId?: string;
  bootable: boolean;
  active: boolean;
  interface: DiskInterface;
  readOnly: boolean;
  passDiscard?: boolean;
  usesScsiReservation?: boolean;
}

export const nicInterfaces = ["virtio", "e1000", "rtl8139", "rtl8139_virtio", "pci_passthrough"] as const;
export type NicInterface = (typeof nicInterfaces)[number];

export interface NicState {
  readonly id: string;
  name: string;
  mac: string;
  /** Absent: the empty profile, without a network. */
  vnicProfileId?: string;
  interface: NicInterface;
  linked: boolean;
  plugged: boolean;
}

export interface DiskState {
  readonly id: string;
  alias: string;
  description: string;
  /** Id of the active volume. */
  imageId: string;
  provisionedBytes: number;
  readonly initialBytes?: number;
  readonly format: DiskFormat;
  readonly sparse: boolean;
  backup: "none" | "incremental";
  status: "ok" | "locked" | "illegal";
  shareable: boolean;
  wipeAfterDelete: boolean;
  propagateErrors?: boolean;
  storageDomainId: string;
  readonly createdAt: string;
}

export interface SnapshotState {
  readonly id: string;
  description: string;
  readonly createdAt: string;
  status: "ok" | "locked";
  readonly volumes: SnapshotVolume[];
  readonly ovf: string;
  /** Shows the machine's memory as saved; the lab saves none. */
  readonly memory?: boolean;
}

/** The volume of a disk that a snapshot froze. */
export interface SnapshotVolume {
  readonly diskId: string;
  volumeId: string;
}

export interface CheckpointState {
  readonly id: string;
  parentId: string | undefined;
  readonly createdAt: string;
  readonly description: string;
  readonly diskIds: readonly string[];
  state: "created" | "invalid";
}

export type BackupPhase = "initializing" | "starting" | "ready" | "finalizing" | "succeeded" | "failed";

export interface BackupState {
  readonly id: string;
  readonly vmId: string;
  readonly description: string;
  readonly fromCheckpointId?: string;
  /** Set when ready, and only if some disk can carry a bitmap. */
  toCheckpointId?: string;
  phase: BackupPhase;
  /** In an intermediate stage that old engines show without a phase. */
  betweenPhases: boolean;
  readonly disks: { readonly diskId: string; mode: "full" | "incremental" }[];
  readonly createdAt: string;
  modifiedAt: string;
}

export type TransferPhase =
  | "initializing"
  | "transferring"
  | "resuming"
  | "paused_system"
  | "paused_user"
  | "cancelled_system"
  | "cancelled_user"
  | "finalizing_success"
  | "finalizing_failure"
  | "finalizing_cleanup"
  | "finished_success"
  | "finished_failure"
  | "finished_cleanup";

export const timeoutPolicies = ["legacy", "pause", "cancel"] as const;

export interface TransferState {
  readonly id: string;
  readonly diskId: string;
  /** A volume frozen by a snapshot; absent: the disk itself. */
  readonly volumeId?: string;
  readonly backupId?: string;
  readonly direction: "upload" | "download";
  /** `raw`: guest data over NBD. `cow` or absent: the bytes of the volume file. */
  readonly format?: DiskFormat;
  readonly shallow: boolean;
  readonly inactivitySeconds: number;
  readonly timeoutPolicy: (typeof timeoutPolicies)[number];
  phase: TransferPhase;
  /** Set while a ticket exists. */
  ticketId?: string;
  sizeBytes: number;
  transferredBytes: number;
  active: boolean;
  /** Last call of `extend` or `resume`. */
  extendedAt: string;
  modifiedAt: string;
}

export interface JobState {
  readonly id: string;
  readonly description: string;
  readonly correlationId: string;
  status: "started" | "finished" | "failed";
  readonly startedAt: string;
  endedAt?: string;
}

export interface EventState {
  /** Ascending. */
  readonly id: number;
  readonly code: number;
  readonly severity: "normal" | "warning" | "error" | "alert";
  readonly description: string;
  readonly time: string;
  readonly origin: string;
  readonly customId?: number;
  readonly correlationId?: string;
  readonly vmId?: string;
}
