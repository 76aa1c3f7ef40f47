import { QuiesceError, type BackupRequest, type FieldName } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import type { Vm } from "../model/vm.ts";
import { consistencyReached, hasGuestAgent, lastEventId, type ConsistencyReached } from "./guest-consistency.ts";

const HINT = (field: FieldName): string =>
  `Does the QEMU guest agent run in the guest? ${field("quiesce", "try")} takes the point without, and says so.`;

/** State before a snapshot that decides afterwards how consistent it is. */
export interface QuiesceAttempt {
  readonly vm: Vm;
  readonly quiesce: BackupRequest["quiesce"];
  readonly agent: boolean;
  readonly since: string | undefined;
}

/**
 * The engine always freezes a guest whose agent responds; no parameter prevents it. `never` only means that the outcome
 * is not checked.
 *
 * @throws QuiesceError when quiescing is required and no agent responds. Nothing was made.
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

/** @throws QuiesceError when quiescing is required and failed */
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
