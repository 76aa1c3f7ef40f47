import { isTransient } from "../errors/ovault-error.ts";
import { type Clock, systemClock } from "../util/clock.ts";

export interface RetryPolicy {
  /** Calls in all, the first one included. */
  readonly attempts: number;
  /** Longest pause before the second call; doubles each time. A pause is anything from nothing to the longest. */
  readonly firstDelayMs: number;
}

export const DEFAULT_RETRIES: RetryPolicy = { attempts: 6, firstDelayMs: 250 };

/** Repeats work that failed transiently. */
export async function repeated<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
  policy: RetryPolicy = DEFAULT_RETRIES,
  clock: Clock = systemClock,
): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await work();
    } catch (error) {
      await pauseAfter(error, failures, { policy, clock, signal });
    }
  }
}

/** Returns when the work may be tried again, and throws the error when it may not. */
export async function pauseAfter(
  error: unknown,
  failures: number,
  { policy, clock, signal }: { readonly policy: RetryPolicy; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  if (!isTransient(error) || failures >= policy.attempts || signal.aborted) throw error;
  // Full jitter: what failed together because the store was busy must not come back together.
  await clock.sleep(Math.random() * policy.firstDelayMs * 2 ** (failures - 1), signal);
}
