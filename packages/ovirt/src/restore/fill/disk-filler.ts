import type { DiskTarget, RunContext } from "@ovault/contract";

import type { EngineApi } from "../../api/engine-api.ts";
import type { Capabilities } from "../../model/capabilities.ts";
import type { Cluster } from "../../model/cluster.ts";
import type { MadeDisk } from "../disks/make-disk.ts";

/** A way to fill the new disks of a restore. Making the disks, and a machine of them, is the same for all ways. */
export interface DiskFiller {
  /** Whether a QCOW2 disk can be filled with what the guest sees. Where not, disks are made raw. */
  fillsCow(engine: Capabilities): boolean;
  /** @throws when disks for this cluster cannot be filled from here. Called before anything is made. */
  assertReach?(api: EngineApi, cluster: Cluster, signal: AbortSignal): Promise<void>;
  /** Leaves nothing of its own behind when it throws, as far as possible; the disks are the caller's. */
  open(disks: readonly MadeDisk[], site: FillingSite): Promise<DiskFilling>;
}

/** Where new disks are filled. */
export interface FillingSite {
  readonly api: EngineApi;
  readonly capabilities: Capabilities;
  readonly context: RunContext;
}

/** New disks that are open to be written. Ended by `finish`, or by `abandon`, which may follow a `finish` that failed. */
export interface DiskFilling {
  /** In the order of the disks. */
  readonly targets: readonly DiskTarget[];
  /** After all targets are flushed: lets go of the disks. Throws when one did not become whole. */
  finish(): Promise<void>;
  /** Lets go of the disks, whatever state they are in. Never throws. */
  abandon(): Promise<void>;
}
