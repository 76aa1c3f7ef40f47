export interface AttachedDisk {
  readonly diskId: string;
  /** The disk as this snapshot of its machine froze it. Detaching discards what was written to it. */
  readonly snapshotId?: string;
  readonly interface: string;
  readonly bootable: boolean;
  readonly readOnly?: boolean;
  readonly passDiscard?: boolean;
  readonly usesScsiReservation?: boolean;
  /** The engine's default is false; required here so that no caller relies on it. */
  readonly active: boolean;
}

export interface DiskAttachmentChange {
  readonly active?: boolean;
  readonly bootable?: boolean;
  readonly readOnly?: boolean;
  readonly passDiscard?: boolean;
  readonly usesScsiReservation?: boolean;
  /** Change tracking of the disk. */
  readonly backup?: "incremental" | "none";
  /** Description of the disk; empty: none. */
  readonly description?: string;
  /** A setting of the disk. */
  readonly wipeAfterDelete?: boolean;
  /** A setting of the disk. */
  readonly propagateErrors?: boolean;
}
