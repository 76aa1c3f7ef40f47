import type { DiskTarget, RunContext } from "@ovault/contract";

import type { EngineApi } from "../../api/engine-api.ts";
import type { Capabilities } from "../../model/capabilities.ts";
import type { Cluster } from "../../model/cluster.ts";
import type { MadeDisk } from "../disks/make-disk.ts";

/** A way to fill the new disks of a restore. All fillers share how the disks and the machine are made. */
export interface DiskFiller {
  /** Whether a QCOW2 disk can be filled with guest data. If not, disks are made raw. */
  fillsCow(engine: Capabilities): boolean;
  /** Called before anything is made. @throws when disks for this cluster cannot be filled from here */
  assertReach?(api: EngineApi, cluster: Cluster, signal: AbortSignal): Promise<void>;
  /** Cleans up its own resources before it throws, as far as possible; the caller owns the disks. */
  open(disks: readonly MadeDisk[], site: FillingSite): Promise<DiskFilling>;
}

/** The environment of a filling. */
export interface FillingSite {
  readonly api: EngineApi;
  readonly capabilities: Capabilities;
  readonly context: RunContext;
}

/** New disks open for writing. Ended by `finish`, or by `abandon`, also after a failed `finish`. */
export interface DiskFilling {
  /** In the order of the disks. */
  readonly targets: readonly DiskTarget[];
  /** Releases the disks after all targets are flushed. Throws when one is incomplete. */
  finish(): Promise<void>;
  /** Releases the disks in any state. Never throws. */
  abandon(): Promise<void>;
}

/** For disks that hold their data already, and machines without disks. */
export const NOTHING_TO_FILL: DiskFilling = { targets: [], finish: async () => {}, abandon: async () => {} };
