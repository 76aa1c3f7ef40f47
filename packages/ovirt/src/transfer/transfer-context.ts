import type { RunContext, RunLedger } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import type { EngineAccess } from "../api/engine-access.ts";
import type { Capabilities } from "../model/capabilities.ts";
import { localHostId } from "./local-host-id.ts";
import type { TransferOptions } from "./transfer-options.ts";

/** What transfers of one run have in common. */
export interface TransferContext extends TransferOptions {
  readonly api: EngineApi;
  readonly capabilities: Capabilities;
  readonly ledger: RunLedger;
  /** PEM certificates that sign hosts and the engine's proxy. */
  readonly ca: readonly string[];
  /** The host this process runs on, if it is one. */
  readonly localHostId?: string | undefined;
}

/** The context of all transfers of a run. */
export async function transferContext(
  manager: EngineAccess,
  { connectionsPerHost, inactivityTimeoutSeconds }: TransferOptions,
  { runId, ledger, hooks, signal }: RunContext,
): Promise<TransferContext> {
  const api = manager.apiFor(runId, hooks);
  return {
    api,
    capabilities: await manager.capabilities(signal),
    ledger,
    ca: manager.client.trust.ca,
    localHostId: await localHostId(api, signal),
    connectionsPerHost,
    inactivityTimeoutSeconds,
  };
}
