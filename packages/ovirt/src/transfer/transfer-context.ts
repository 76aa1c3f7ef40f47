import type { RunLedger } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import type { Capabilities } from "../model/capabilities.ts";

/** What transfers of one run have in common. */
export interface TransferContext {
  readonly api: EngineApi;
  readonly capabilities: Capabilities;
  readonly ledger: RunLedger;
  /** PEM certificates that sign hosts and the engine's proxy. */
  readonly ca: readonly string[];
  /** The host this process runs on, where it is one. */
  readonly localHostId?: string | undefined;
  /** Connections to one host, over all disks together; 1 to 8. */
  readonly connectionsPerHost: number;
  /** Both the engine and the host give up on a transfer that is silent for so long. */
  readonly inactivityTimeoutSeconds: number;
}
