import type { BackupRequest, DiskSource, RunContext } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import type { OvirtManager } from "../manager/manager.ts";
import type { Capabilities } from "../model/capabilities.ts";
import type { DiskPlan } from "./plan-disk.ts";

/** Sources that can name a layer's parent volume, which decides whether the layer is an increment. */
export interface LayerTelling {
  /** The engine links each volume to the one below (4.4.3). */
  readonly engineTells: boolean;
  /** The reader sees the headers of the layers, which name it. */
  readonly headerTells: boolean;
}

/**
 * A way to read the disks that a snapshot froze: the mirror of `DiskFiller`. All readers share how a snapshot is taken,
 * kept for the next increment, used for planning and removed.
 */
export interface VolumeReader {
  /**
   * How to find a layer's parent; or, for people, why this reader reads no layers, in which case no snapshot is kept.
   */
  readonly increments: ((engine: Capabilities) => LayerTelling) | string;
  /** Whether a disk can be read in full while our snapshots lie below. If not, they are removed first. */
  readsChains(engine: Capabilities): boolean;
  /** Runs before anything is made, and makes nothing on the manager. @throws when the disks cannot be read from here */
  prepare(request: BackupRequest, site: ReadingSite): Promise<VolumeReading>;
}

/** The environment of a reading. */
export interface ReadingSite {
  readonly manager: OvirtManager;
  readonly api: EngineApi;
  readonly capabilities: Capabilities;
  readonly context: RunContext;
}

/** The volumes of one snapshot while they are read. */
export interface VolumeReading {
  /** The reading holds something open that keeps the engine from merging. */
  readonly holdsVolumes: boolean;
  /**
   * The disks as sources, in the order of the plans. A plan with `since` may become an increment; its source decides.
   * May be called again after it threw if the reading holds no volumes.
   */
  open(plans: readonly DiskPlan[], snapshotId: string, signal: AbortSignal): Promise<readonly DiskSource[]>;
  /** After all data was read: verifies that the volumes are still there and unchanged. */
  confirm?(signal: AbortSignal): Promise<void>;
  /**
   * Releases the volumes in any state, also before `open`; may be called twice. The caller removes the snapshot
   * afterwards.
   */
  close(outcome: "complete" | "failed"): Promise<void>;
}
