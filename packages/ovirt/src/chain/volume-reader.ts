import type { BackupRequest, DiskSource, RunContext } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import type { OvirtManager } from "../manager/manager.ts";
import type { Capabilities } from "../model/capabilities.ts";
import type { DiskPlan } from "./plan-disk.ts";

/** What names the volume below a layer, which decides whether the layer is an increment. */
export interface LayerTelling {
  /** The engine links each volume to the one below (4.4.3). */
  readonly engineTells: boolean;
  /** The reader opens the layer's QCOW2 file, whose header names it. */
  readonly headerTells: boolean;
}

/**
 * A way to read the disks that a snapshot froze: the mirror of `DiskFiller`. Taking the snapshot, keeping it for the next
 * increment, planning modes from it and removing it are the same for all ways.
 */
export interface VolumeReader {
  /** What tells whether a layer is an increment; or, for people, why this way reads no layers. Then no snapshot is kept. */
  readonly increments: ((engine: Capabilities) => LayerTelling) | string;
  /** Whether a disk can be read in full while snapshots of ours lie below. Where not, they go before. */
  readsChains(engine: Capabilities): boolean;
  /** Before anything is made, and makes nothing. @throws when the disks cannot be read from here */
  prepare(request: BackupRequest, site: ReadingSite): Promise<VolumeReading>;
}

/** Where a run reads. */
export interface ReadingSite {
  readonly manager: OvirtManager;
  readonly api: EngineApi;
  readonly capabilities: Capabilities;
  readonly context: RunContext;
}

/** The volumes of one snapshot while they are read. */
export interface VolumeReading {
  /** Something is open that keeps the engine from merging. */
  readonly holdsVolumes: boolean;
  /**
   * The disks as sources, in the order of the plans. A plan with `since` may be an increment, and is what its source makes of
   * it. Called again when it throws while the reading holds no volumes.
   */
  open(plans: readonly DiskPlan[], snapshotId: string, signal: AbortSignal): Promise<readonly DiskSource[]>;
  /** After all data was read: makes sure that everything still stands. */
  confirm?(signal: AbortSignal): Promise<void>;
  /** Lets go of the volumes, whatever state they are in, also before `open`; may come twice. The snapshot goes afterwards. */
  close(outcome: "complete" | "failed"): Promise<void>;
}
