import { systemClock } from "@ovault/contract";

/** Sleeps about `ms`, up to a quarter more or less, so that many waiters do not retry at the same time. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return systemClock.sleep(ms * (0.75 + Math.random() / 2), signal);
}
