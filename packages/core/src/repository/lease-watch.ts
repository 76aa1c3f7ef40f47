import type { Clock } from "../util/clock.ts";
import { processState } from "../util/process-identity.ts";
import type { HeldClaim, LeaseFolder, LeaseState } from "./lease-folder.ts";

/** Clocks of two machines are never so far apart; beyond it an expiry time written by another one is believed. */
export const CLOCK_MARGIN_MS = 10 * 60 * 1000;

/** Looks at a lease that somebody else holds, again and again, to tell whether that somebody still lives. */
export class LeaseWatch {
  readonly #folder: LeaseFolder;
  readonly #clock: Clock;
  #seen = "";
  #seenSinceMs = 0;

  constructor(folder: LeaseFolder, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  /**
   * True when the claim may be taken over:
   * - its process ran on this machine and is dead, or
   * - this watch has seen no new beat for the claim's time to live, by our own monotonic clock, or
   * - it expired long ago by the wall clock.
   */
  async isStale(state: LeaseState, claim: HeldClaim, signal: AbortSignal): Promise<boolean> {
    if ((await processState(claim.holder)) === "dead") return true;
    return this.#stoodStillMs(state) >= claim.ttlMs || (await this.#expiredLongAgo(state, claim, signal));
  }

  #stoodStillMs({ generation, beat }: LeaseState): number {
    const now = this.#clock.elapsedMs();
    const seen = `${generation}.${beat}`;
    if (seen !== this.#seen) {
      this.#seen = seen;
      this.#seenSinceMs = now;
    }
    return now - this.#seenSinceMs;
  }

  async #expiredLongAgo(state: LeaseState, claim: HeldClaim, signal: AbortSignal): Promise<boolean> {
    const lastSign = state.beat === 0 ? claim : await this.#folder.readBeat(state, signal);
    return lastSign !== undefined && this.#clock.now().getTime() > Date.parse(lastSign.expiresAt) + CLOCK_MARGIN_MS;
  }
}
