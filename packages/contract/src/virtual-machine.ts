import type { JsonObject } from "./json.ts";

/** How the manager stores a disk image: `raw`, or `cow` for QCOW2 (oVirt's own words). */
export type DiskFormat = "raw" | "cow";

/** A disk as the manager shows it at one moment. */
export interface Disk {
  readonly id: string;
  readonly alias: string;
  /**
   * Position among the disks of the virtual machine; 0 is the first. Ordered by bootable first, then alias
   * (`compareNatural`), then id. A point keeps the positions of its instant.
   */
  readonly index: number;
  /** Size the guest sees, in bytes. */
  readonly logicalBytes: number;
  /** Space the disk takes on its storage, in bytes; absent if the manager does not report it. */
  readonly actualBytes?: number;
  readonly format: DiskFormat;
  readonly sparse: boolean;
  readonly bootable: boolean;
  /** `virtio`, `virtio_scsi`, `ide`, `sata`, `spapr_vscsi`. */
  readonly interface: string;
  readonly storageDomain?: { readonly id: string; readonly name: string };
  /** Whatever else the manager plugin needs at restore time. */
  readonly attributes: JsonObject;
}

/** A virtual machine as the manager shows it at one moment. Plain data, fit for storage. */
export interface VirtualMachine {
  readonly id: string;
  readonly name: string;
  /** Name of the manager in the configuration. */
  readonly manager: string;
  /** The manager's own word: `up`, `down`, `paused`, `image_locked`… */
  readonly status: string;
  readonly cluster?: { readonly id: string; readonly name: string };
  /** Where it runs; absent when off. */
  readonly host?: { readonly id: string; readonly name: string };
  /** Names of its own tags, sorted; absent if the manager has no tags. */
  readonly tags?: readonly string[];
  readonly disks: readonly Disk[];
  readonly attributes: JsonObject;
}
