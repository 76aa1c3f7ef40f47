import type { JsonObject } from "./json.ts";

/** How the manager stores a disk image: `raw`, or `cow` for QCOW2 (oVirt's own words). */
export type DiskFormat = "raw" | "cow";

/** A disk as the manager shows it at one moment. */
export interface Disk {
  readonly id: string;
  readonly alias: string;
  /**
   * Position among the disks of the virtual machine; 0 is the first. Bootable disks come first, then aliases as
   * `compareNatural` orders them, then ids. Points keep the positions of their time.
   */
  readonly index: number;
  /** Size the guest sees, in bytes. */
  readonly logicalBytes: number;
  /** Space the disk takes on its storage, in bytes, where the manager tells. */
  readonly actualBytes?: number;
  readonly format: DiskFormat;
  readonly sparse: boolean;
  readonly bootable: boolean;
  /** `virtio`, `virtio_scsi`, `ide`, `sata`, `spapr_vscsi`. */
  readonly interface: string;
  readonly storageDomain?: { readonly id: string; readonly name: string };
  /** Whatever else the manager plugin wants to find again at restore time. */
  readonly attributes: JsonObject;
}

/** A virtual machine as the manager shows it at one moment. Plain data: it can travel and be stored. */
export interface VirtualMachine {
  readonly id: string;
  readonly name: string;
  /** Name of the manager in the configuration. */
  readonly manager: string;
  /** The manager's own word: `up`, `down`, `paused`, `image_locked`… */
  readonly status: string;
  readonly cluster?: { readonly id: string; readonly name: string };
  /** Where it runs; absent when it is off. */
  readonly host?: { readonly id: string; readonly name: string };
  /** Names of the tags that it carries itself, sorted; absent where the manager knows none. */
  readonly tags?: readonly string[];
  readonly disks: readonly Disk[];
  readonly attributes: JsonObject;
}
