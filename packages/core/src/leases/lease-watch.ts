import { type Clock, processState } from "@ovault/contract";
import { isClaimEnded } from "./ended-claims.ts";
import type { HeldClaim, LeaseFolder, LeaseState } from "./lease-folder.ts";

/** A claim expired by more than this, by the local wall clock, is doubtful. */
export const CLOCK_MARGIN_MS = 10 * 60 * 1000;
/** Longest pause between two looks at a held lease. */
const LONGEST_POLL_MS = 5_000;
/** Two looks further apart than this, and than half the time to live, have observed nothing in between. */
const LONGEST_GAP_MS = 10_000;

/**
 * The life of a claim's holder, as looks at the claim have shown it:
 * - `dead`: its process ran on this machine and is gone, or is this one and knows that the run is over, or no beat came
 * for its whole time to live. It may be taken over.
 * - `doubtful`: by the local wall clock it expired long ago. One of two clocks may be wrong, so the watch waits for
 * beats.
 * - `living`: anything else.
 */
export type Life = "living" | "doubtful" | "dead";

/**
 * Looks at a lease of another run again and again. Wall clocks never decide: only what this watch has seen, by the
 * local monotonic clock.
 */
export class LeaseWatch {
  readonly #folder: LeaseFolder;
  readonly #clock: Clock;
  #seen: string | undefined;
  #seenSinceMs = 0;
  #lookedAtMs = 0;
  /** The lease has changed since the first look: the holder beats. */
  #moved = false;

  constructor(folder: LeaseFolder, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  /** Call it after every listing of the lease. */
  async look(state: LeaseState, claim: HeldClaim, signal: AbortSignal): Promise<Life> {
    const silentMs = this.#silentMs(state, claim);
    if (claim.kept) return "living";
    if (isClaimEnded(claim.token)) return "dead";
    const process = await processState(claim.holder);
    if (process === "dead" || silentMs >= claim.ttlMs) return "dead";
    if (process === "alive" || this.#moved) return "living";
    return (await this.#isLongPast(state, claim, signal)) ? "doubtful" : "living";
  }

  /** Until the next look. */
  async pause({ ttlMs }: HeldClaim, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(Math.min(ttlMs / 4, LONGEST_POLL_MS), signal);
  }

  #silentMs(state: LeaseState, { ttlMs }: HeldClaim): number {
    const now = this.#clock.elapsedMs();
    const seen = signsIn(state);
    // While a store answers no calls, no holder can beat either: such a time does not count as silence.
    const looked = now - this.#lookedAtMs <= Math.max(ttlMs / 2, LONGEST_GAP_MS);
    if (this.#seen !== undefined && seen !== this.#seen) this.#moved = true;
    if (seen !== this.#seen || !looked) this.#seenSinceMs = now;
    this.#seen = seen;
    this.#lookedAtMs = now;
    return now - this.#seenSinceMs;
  }

  async #isLongPast(state: LeaseState, claim: HeldClaim, signal: AbortSignal): Promise<boolean> {
    const lastSign = state.beat === 0 ? claim : await this.#folder.readBeat(state, signal);
    return lastSign !== undefined && this.#clock.now().getTime() > Date.parse(lastSign.expiresAt) + CLOCK_MARGIN_MS;
  }
}

/** The ruling claim and its beats: a living holder replaces them. */
function signsIn({ generation, objects }: LeaseState): string {
  const signs = objects.filter((object) => object.generation === generation);
  return signs.map(({ key }) => key).join();
}
