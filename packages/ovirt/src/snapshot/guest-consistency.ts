import type { Consistency } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import type { Vm } from "../model/vm.ts";

const EVENTS_LOOKED_AT = 1_000;

export interface ConsistencyReached {
  readonly consistency: Consistency;
  /** Why it is no better, for people. */
  readonly reason: string;
}

/** True when something in the guest answers, and can so bring its file systems to rest. */
export async function hasGuestAgent(api: EngineApi, vmId: string, signal: AbortSignal): Promise<boolean> {
  return (await api.vms.reportedDevices(vmId, signal)).length > 0;
}

/** Id of the newest event; what comes after it belongs to what is done next. */
export async function lastEventId(api: EngineApi, signal: AbortSignal): Promise<string | undefined> {
  return (await api.events.list({ max: 1 }, signal))[0]?.id;
}

/**
 * How consistent a snapshot is. The engine asks the guest agent to freeze by itself, goes on without when that fails, and
 * says so only in its events: a warning about the virtual machine while the snapshot was made means that it was not frozen.
 * Their texts are translated, so what they say counts for nothing. An engine that shows no event of the snapshot at all, or
 * only some, proves nothing.
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
