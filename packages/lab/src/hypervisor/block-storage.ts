import type { DiskFormat } from "@ovault/contract";

export interface BlockDomain {
  readonly storageDomainId: string;
  readonly dataCenterId: string;
}

/** A volume of a disk on block storage, and what the engine asks of its logical volume. */
export interface BlockVolume {
  readonly storageDomainId: string;
  readonly diskId: string;
  readonly volumeId: string;
  /** The volume below it; absent for a base. */
  readonly parentId?: string;
  readonly format: DiskFormat;
  /** Size the guest sees. */
  readonly virtualBytes: number;
  /** Size that a new logical volume has at least. It has room for what is written, whatever that is. */
  readonly bytes: number;
}

/**
 * Where hosts see the volumes of block storage domains, e.g. as logical volumes of a guest that is a host. Lab machines
 * use files: the lab writes to this storage what changed of them, and reads from it, before it uses a disk, what a host
 * may have written there. Calls for one disk do not overlap.
 */
export interface BlockStorage {
  /** Called for each block storage domain when the lab starts, before all else. */
  open(domain: BlockDomain): Promise<void>;
  /** Makes a volume, or replaces its content, by that of a file, which is raw or QCOW2 as the volume is. */
  write(volume: BlockVolume, file: string): Promise<void>;
  /** Replaces the content of a file by that of a volume. */
  read(volume: BlockVolume, file: string): Promise<void>;
  /** Removing what is not there is not an error. */
  remove(volume: Pick<BlockVolume, "storageDomainId" | "diskId" | "volumeId">): Promise<void>;
  /** A machine has these volumes open from now on, in place of those of an earlier call; none: it is down. */
  use(vmId: string, volumes: readonly BlockVolume[]): Promise<void>;
}
