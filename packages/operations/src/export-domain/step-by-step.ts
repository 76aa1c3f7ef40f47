import { setTimeout as sleep } from "node:timers/promises";

import { DeadlineError } from "@ovault/contract";
import { EngineConflictError, EngineFaultError } from "@ovault/ovirt";
import { StorageDomainError } from "@ovault/storage-domain";

import type { RegisteredDomain } from "./find-registered.ts";

/** What the engine is to be asked for in some state; undefined: it is at work, and only to be waited for. */
export type Step = (() => Promise<void>) | undefined;

const LOOK_MS = 200;
/** A host waits for an NFS server that long, several times. */
const DEADLINE_MS = 600_000;
const REFUSED_MS = 60_000;

/**
 * Takes the step that the state of a domain asks for, until there is none left. The request of a run that died may
 * still change the state: what the engine refuses is a failure only if the state stays as it was.
 *
 * @param next the step for a state, or "done"
 * @returns the state that needs no step
 * @throws the refusal; DeadlineError
 */
export async function stepByStep(
  look: () => Promise<RegisteredDomain>,
  next: (found: RegisteredDomain, state: string) => Step | "done",
  signal: AbortSignal,
): Promise<RegisteredDomain> {
  let last: string | undefined;
  let since = performance.now();
  let refusal: unknown;
  for (;;) {
    const found = await look();
    const state = stateOf(found);
    if (state !== last) {
      last = state;
      since = performance.now();
      refusal = undefined;
    }
    const step = next(found, state);
    if (step === "done") return found;
    const waitedMs = performance.now() - since;
    if (refusal !== undefined && waitedMs > REFUSED_MS) throw refusal;
    if (waitedMs > DEADLINE_MS) throw gaveUp(found.name, state);
    try {
      await step?.();
    } catch (error) {
      if (!mayPass(error)) throw error;
      refusal = error;
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function stateOf({ domain, isAttached }: RegisteredDomain): string {
  if (domain === undefined) return "absent";
  return isAttached ? (domain.status ?? "unknown") : "unattached";
}

/** Another request may be at work on the domain, and a host on its files. */
function mayPass(error: unknown): boolean {
  return (
    error instanceof EngineConflictError || error instanceof EngineFaultError || error instanceof StorageDomainError
  );
}

function gaveUp(name: string, state: string): DeadlineError {
  return new DeadlineError(`gave up after ${DEADLINE_MS / 1000} s: export domain ${name} stays ${state}`, {
    retry: "exhausted",
    context: { state },
    hint: "The engine's events and tasks say what it waits for. Run the command again: it goes on.",
  });
}
