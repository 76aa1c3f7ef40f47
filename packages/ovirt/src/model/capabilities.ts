import { isAtLeast } from "./engine-version.ts";
import type { ProductInfo } from "./product-info.ts";

/** What this engine's version can do. Versions: engine and SDK sources, by the release that brought each. */
export interface Capabilities {
  readonly product: ProductInfo;
  /** 4.0: disks are attached to machines, and detached, as such. What changes machines needs it. */
  readonly diskAttachments: boolean;
  /** 4.0.4: disks are written and read through imageio, at a port of the hosts or of the engine. */
  readonly imageTransfers: boolean;
  /** 4.2: `follow` inlines linked entities. */
  readonly follow: boolean;
  /** 4.2: a transfer can read a disk as a snapshot froze it. */
  readonly snapshotTransfer: boolean;
  /** 4.3: the engine honours a transfer's `format`. */
  readonly transferFormat: boolean;
  /** 4.4: backups and checkpoints. Whether incremental ones are enabled shows only when one is started. */
  readonly backups: boolean;
  /** 4.4.3: the disks of a backup report their `backupMode`. */
  readonly backupMode: boolean;
  /** 4.4.3: a transfer can read a single layer. */
  readonly shallowTransfer: boolean;
  /** 4.4.4: a backup can insist on frozen file systems. */
  readonly requireConsistency: boolean;
  /** 4.4.5: a transfer has a timeout policy. */
  readonly timeoutPolicy: boolean;
  /** 4.4.7: ended backups and transfers stay readable for 15 minutes or more; before, they vanish. */
  readonly persistentPhases: boolean;
  /** 4.4.7: any checkpoint can be deleted, also of a stopped machine; before, only the oldest of a running one. */
  readonly deleteAnyCheckpoint: boolean;
  /** 4.5: the client may choose the id of a backup. */
  readonly ownBackupId: boolean;
  /** 4.5: a disk can be converted between raw and QCOW2. */
  readonly convertDisk: boolean;
}

export function capabilitiesOf(product: ProductInfo): Capabilities {
  const since = (major: number, minor: number, build = 0): boolean => isAtLeast(product.version, major, minor, build);
  return {
    product,
    diskAttachments: since(4, 0),
    imageTransfers: since(4, 0, 4),
    follow: since(4, 2),
    snapshotTransfer: since(4, 2),
    transferFormat: since(4, 3),
    backups: since(4, 4),
    backupMode: since(4, 4, 3),
    shallowTransfer: since(4, 4, 3),
    requireConsistency: since(4, 4, 4),
    timeoutPolicy: since(4, 4, 5),
    persistentPhases: since(4, 4, 7),
    deleteAnyCheckpoint: since(4, 4, 7),
    ownBackupId: since(4, 5),
    convertDisk: since(4, 5),
  };
}
