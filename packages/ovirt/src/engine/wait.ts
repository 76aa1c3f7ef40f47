import { DeadlineError } from "@ovault/core";

import { pause } from "./pause.ts";

/** What one look at the engine showed: finished with a value, or not yet, with the state in words. */
export type Polled<T> = { readonly done: true; readonly value: T } | { readonly done: false; readonly state: string };

export function arrived<T>(value: T): Polled<T> {
  return { done: true, value };
}

export function pending(state: string | undefined): { readonly done: false; readonly state: string } {
  return { done: false, state: state ?? "in transition" };
}

export interface WaitOptions {
  readonly deadlineMs: number;
  /** Longest time between two looks. The engine's slower state machines move every 10 s or so: below 1 s gains nothing. */
  readonly pollMs: number;
  readonly signal: AbortSignal;
}

const FIRST_PAUSE_MS = 200;
const GROWTH = 1.5;

/**
 * The pause after so many looks, in ms: short at first, because much is done in an instant (a transfer, a disk, a
 * detachment), then longer up to `pollMs`, because the rest takes minutes.
 */
export function pauseAfter(looks: number, pollMs: number): number {
  return Math.min(pollMs, FIRST_PAUSE_MS * GROWTH ** (looks - 1));
}

/**
 * Looks until `poll` says it is done; errors of `poll` end the wait.
 *
 * @param what for people: "the backup of web01 to become ready"
 * @throws {DeadlineError} naming what was waited for and its last state. @throws {CancelledError}
 */
export async function waitFor<T>(
  what: string,
  poll: (signal: AbortSignal) => Promise<Polled<T>>,
  { deadlineMs, pollMs, signal }: WaitOptions,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (let looks = 1; ; looks += 1) {
    const polled = await poll(signal);
    if (polled.done) return polled.value;
    if (performance.now() >= end) {
      throw new DeadlineError(`gave up after ${deadlineMs / 1000} s waiting for ${what}; last state: ${polled.state}`, {
        retry: "exhausted",
        context: { what, state: polled.state, deadlineMs },
        hint: "Look at the engine's events and tasks; what we made is in the ledger and `ovault doctor` shows it.",
      });
    }
    await pause(pauseAfter(looks, pollMs), signal);
  }
}
