/** A VM of a new lab. */
export interface LabVmRequest {
  readonly name: string;
  /** qcow2 or raw files, copied unchanged. The first is bootable. */
  readonly images: readonly string[];
  /** Leave it powered off. */
  readonly down?: boolean;
  /** False: no guest agent answers, so that file systems cannot be frozen. */
  readonly guestAgent?: boolean;
  /** Default: the first. */
  readonly cluster?: string;
  /** Name of the host where it starts. Default: the engine's choice. */
  readonly host?: string;
  /** Of its disks. Default: the first of its data centre. */
  readonly storageDomain?: string;
  /** Names of its tags; the lab makes missing ones. */
  readonly tags?: readonly string[];
  /**
   * Shows the plugged disks, while it is up, as files in this directory, with udev's names of the guest's
   * /dev/disk/by-id. Absolute, or relative to the lab's directory; made when missing. Needs FUSE.
   */
  readonly devices?: string;
  /** Name of a template, which has the lowest layer of every image: each must have a backing file. */
  readonly template?: string;
  /** False: it has no VirtIO-SCSI controller, so that no disk is attached that way. */
  readonly virtioScsi?: boolean;
}
