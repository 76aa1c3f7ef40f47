import type { BackupMode } from "./disk-source.ts";
import type { JsonObject } from "./json.ts";
import type { Disk, VirtualMachine } from "./virtual-machine.ts";

/**
 * Where the next increment of a disk can start. Opaque to core: the strategy that wrote it reads it back from the last
 * sealed point, never from job state.
 */
export type BaseMarker = JsonObject;

/** How consistent the data is: quiesced file systems, as after a power cut, or the VM was off. */
export type Consistency = "filesystem" | "crash" | "offline";

/** A configuration document kept with a point. */
export interface PointDocument {
  /** File name, e.g. `vm.ovf`. */
  readonly name: string;
  readonly mediaType: string;
  readonly text: string;
}

/** One disk inside a recovery point. */
export interface DiskRecord {
  readonly disk: Disk;
  readonly mode: BackupMode;
  readonly reason: string;
  /**
   * Digest of the root page of the disk's block map (hex). Null when the whole disk is zero, and in a store that keeps
   * disks as images.
   */
  readonly blockMap: string | null;
  /** Where the next increment can start; absent when it cannot. */
  readonly base?: BaseMarker;
  readonly stats: DiskStats;
}

/** All in bytes, except counts of blocks. */
export interface DiskStats {
  readonly logicalBytes: number;
  /** Taken from the source. */
  readonly readBytes: number;
  /** Added to the repository, after compression. */
  readonly storedBytes: number;
  readonly zeroBlocks: number;
  readonly unchangedBlocks: number;
  readonly newBlocks: number;
  /** Read, but already in the repository. */
  readonly knownBlocks: number;
}

/** A disk of the virtual machine that this point does not hold, and why. */
export interface SkippedDisk {
  readonly disk: Disk;
  readonly reason: string;
}

/** A complete, sealed picture of a virtual machine. Plain data, the content of the manifest. */
export interface RecoveryPoint {
  readonly id: string;
  readonly vm: VirtualMachine;
  /**
   * Name of the manager in the manifest, if the configuration lists it as a former name; `vm` has the present one. The
   * manifest itself has no such field.
   */
  readonly storedManager?: string;
  /** The instant the data shows. ISO 8601, UTC. */
  readonly takenAt: string;
  readonly sealedAt: string;
  readonly runId: string;
  readonly strategy: string;
  /** Why this strategy, for people; absent in points of releases that did not record it. */
  readonly strategyReason?: string;
  /** Id of the point that `unchanged` blocks were taken from. */
  readonly basePoint: string | null;
  readonly consistency: Consistency;
  readonly blockBytes: number;
  readonly disks: readonly DiskRecord[];
  readonly skipped: readonly SkippedDisk[];
  readonly documents: readonly PointDocument[];
  readonly warnings: readonly string[];
  readonly ovaultVersion: string;
  /** Id of the repository, or of the place of images, that this point was copied from; absent when it was taken here. */
  readonly copiedFrom?: string;
}
