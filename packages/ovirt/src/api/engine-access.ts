import type { RunHooks, VirtualMachine } from "@ovault/contract";

import type { EngineClient } from "../engine/engine-client.ts";
import type { Capabilities } from "../model/capabilities.ts";
import type { EngineApi } from "./engine-api.ts";

/** A connection to one engine, as the manager of the plugin has it. */
export interface EngineAccess {
  readonly client: EngineClient;
  readonly api: EngineApi;
  apiFor(runId: string, hooks?: Pick<RunHooks, "phase">): EngineApi;
  capabilities(signal: AbortSignal): Promise<Capabilities>;
  inventory(signal: AbortSignal): Promise<readonly VirtualMachine[]>;
}
