import { QuiesceError, type BackupRequest } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import type { Vm } from "../model/vm.ts";
import { consistencyReached, hasGuestAgent, lastEventId, type ConsistencyReached } from "./guest-consistency.ts";

const HINT = "Does the QEMU guest agent run in the guest? `--quiesce try` takes the point without, and says so.";

/** What must be known before a snapshot to tell afterwards how consistent it is. */
export interface QuiesceAttempt {
  readonly vm: Vm;
  readonly quiesce: BackupRequest["quiesce"];
  readonly agent: boolean;
  readonly since: string | undefined;
}

/**
 * The engine freezes a guest by itself, where an agent answers, and no parameter keeps it from that: `never` means that
 * nobody looks whether it did.
 *
 * @throws QuiesceError when rest is required, and nobody is there to give it. Nothing was made.
 */
export async function beginQuiesce(
  api: EngineApi,
  vm: Vm,
  quiesce: BackupRequest["quiesce"],
  signal: AbortSignal,
): Promise<QuiesceAttempt> {
  const asked = vm.status !== "down" && quiesce !== "never";
  const agent = asked && (await hasGuestAgent(api, vm.id, signal));
  if (asked && !agent && quiesce === "require") {
    throw new QuiesceError(`the file systems of ${vm.name} cannot be frozen: no guest agent answers`, {
      context: { vm: vm.id },
      hint: HINT,
    });
  }
  return { vm, quiesce, agent, since: agent ? await lastEventId(api, signal) : undefined };
}

/** @throws QuiesceError when rest is required, and was not reached */
export async function endQuiesce(
  api: EngineApi,
  attempt: QuiesceAttempt,
  signal: AbortSignal,
): Promise<ConsistencyReached> {
  const { vm, quiesce } = attempt;
  const reached = await consistencyReached(api, attempt, signal);
  if (quiesce !== "require" || reached.consistency !== "crash") return reached;
  throw new QuiesceError(`the file systems of ${vm.name} were not frozen: ${reached.reason}`, {
    context: { vm: vm.id },
    hint: HINT,
  });
}
