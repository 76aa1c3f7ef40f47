import { DeadlineError, type Semaphore } from "@ovault/contract";

import { pause } from "./pause.ts";

/** The result of one poll: done with a value, or pending, with the state in words. */
export type Polled<T> = { readonly done: true; readonly value: T } | { readonly done: false; readonly state: string };

export function arrived<T>(value: T): Polled<T> {
  return { done: true, value };
}

export function pending(state: string | undefined): { readonly done: false; readonly state: string } {
  return { done: false, state: state ?? "in transition" };
}

export interface WaitOptions {
  readonly deadlineMs: number;
  /**
   * Longest time between two polls. The engine's slower state machines move every 10 s or so: below 1 s gains nothing.
   */
  readonly pollMs: number;
  readonly signal: AbortSignal;
  /** The engine was just asked to do something that takes a while: pause before the first poll. */
  readonly justAsked?: boolean;
  /**
   * One permit, shared by waits for things requested together: one wait polls at a time. Engines move such things in
   * one step, so that most are done when the next wait polls. Each polls at least once.
   */
  readonly turn?: Semaphore;
}

const FIRST_PAUSE_MS = 200;
const GROWTH = 1.5;

/**
 * The pause after this many polls, in ms: short at first, because much takes an instant (a transfer, a disk, a
 * detachment), then longer up to `pollMs`, because the rest takes minutes.
 */
export function pauseAfter(looks: number, pollMs: number): number {
  return Math.min(pollMs, FIRST_PAUSE_MS * GROWTH ** (looks - 1));
}

/**
 * Polls until `poll` reports done; errors of `poll` end the wait.
 *
 * @param what for people: "the backup of web01 to become ready"
 * @throws DeadlineError naming what was waited for and its last state; the signal's reason
 */
export async function waitFor<T>(
  what: string,
  poll: (signal: AbortSignal) => Promise<Polled<T>>,
  { deadlineMs, pollMs, signal, justAsked = false, turn }: WaitOptions,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  if (justAsked) await pause(pauseAfter(1, pollMs), signal);
  await turn?.acquire(signal);
  try {
    for (let pauses = justAsked ? 2 : 1; ; pauses += 1) {
      const polled = await poll(signal);
      if (polled.done) return polled.value;
      if (performance.now() >= end) throw gaveUp(what, polled.state, deadlineMs);
      await pause(pauseAfter(pauses, pollMs), signal);
    }
  } finally {
    turn?.release();
  }
}

function gaveUp(what: string, state: string, deadlineMs: number): DeadlineError {
  return new DeadlineError(`gave up after ${deadlineMs / 1000} s waiting for ${what}; last state: ${state}`, {
    retry: "exhausted",
    context: { what, state, deadlineMs },
    hint: "Look at the engine's events and tasks; what we made is in the ledger and `ovault doctor` shows it.",
  });
}
