import { setTimeout as sleep } from "node:timers/promises";

import { CancelledError } from "@ovault/contract";

/** Sleeps about `ms`, up to a quarter more or less, so that many waiters do not knock together. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms * (0.75 + Math.random() / 2), undefined, { signal });
  } catch (error) {
    throw new CancelledError("cancelled while waiting for the engine", { cause: error });
  }
}
