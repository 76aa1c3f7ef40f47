import type { Host } from "@ovault/ovirt";

import { answerInTime, deadlineIn } from "./answer-in-time.ts";
import type { Hypervisor } from "./hypervisor.ts";
import type { Hypervisors } from "./hypervisors.ts";

/** A host that is there answers within seconds. */
const DEADLINE_MS = 20_000;
/** Longer waits are reported. */
const PATIENCE_MS = 2_000;

export interface LogInNotice {
  readonly onWait: ((what: string) => void) | undefined;
  /** For people. */
  readonly why: string;
}

/** `Hypervisors.open` where something waits for the answer. @throws HypervisorError, also when it takes too long */
export async function logInInTime(
  host: Host,
  hypervisors: Hypervisors,
  { onWait, why }: LogInNotice,
  signal: AbortSignal,
): Promise<Hypervisor> {
  const what = `host ${host.name} to answer, for ${DEADLINE_MS / 1_000} s at most: ${why}`;
  const notice = setTimeout(() => onWait?.(what), PATIENCE_MS);
  try {
    const logIn = (limited: AbortSignal): Promise<Hypervisor> => hypervisors.open(host.id, limited);
    return await answerInTime(host, deadlineIn(DEADLINE_MS), logIn, signal);
  } finally {
    clearTimeout(notice);
  }
}
