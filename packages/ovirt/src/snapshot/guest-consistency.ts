import type { Consistency } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import type { Vm } from "../model/vm.ts";

const EVENTS_LOOKED_AT = 1_000;

export interface ConsistencyReached {
  readonly consistency: Consistency;
  /** Why it is not better, for people. */
  readonly reason: string;
}

/** True when a guest agent responds and can therefore freeze file systems. */
export async function hasGuestAgent(api: EngineApi, vmId: string, signal: AbortSignal): Promise<boolean> {
  return (await api.vms.reportedDevices(vmId, signal)).length > 0;
}

/** Id of the newest event; later ones belong to the next action. */
export async function lastEventId(api: EngineApi, signal: AbortSignal): Promise<string | undefined> {
  return (await api.events.list({ max: 1 }, signal))[0]?.id;
}

/**
 * How consistent a snapshot is. The engine asks the guest agent to freeze by itself, continues when that fails, and
 * says so only in its events: a warning about the virtual machine while the snapshot was made means that it was not
 * frozen. Event texts are translated, so they are ignored. An engine that shows none or only some of the snapshot's
 * events proves nothing.
 *
 * @param vm before the snapshot @param since `lastEventId` before the snapshot
 */
export async function consistencyReached(
  api: EngineApi,
  { vm, agent, since }: { vm: Vm; agent: boolean; since: string | undefined },
  signal: AbortSignal,
): Promise<ConsistencyReached> {
  if (vm.status === "down") return { consistency: "offline", reason: "the virtual machine is off" };
  if (!agent) return { consistency: "crash", reason: "no guest agent answers in the virtual machine" };
  const options = { max: EVENTS_LOOKED_AT, ...(since === undefined ? {} : { from: since }) };
  const events = await api.events.list(options, signal);
  const about = events.filter((event) => event.vmId === vm.id);
  const warning = about.find(({ severity }) => severity !== "normal");
  if (warning !== undefined) return { consistency: "crash", reason: warning.description ?? `event ${warning.code}` };
  if (about.length > 0 && events.length < EVENTS_LOOKED_AT) {
    return { consistency: "filesystem", reason: "the guest agent brought it to rest" };
  }
  return {
    consistency: "crash",
    reason: "the engine does not show its events of the snapshot, which would tell a failure",
  };
}
