import { subscribe, unsubscribe } from "node:diagnostics_channel";

import { CancelledError } from "@ovault/contract";

const REQUESTS = ["undici:request:create", "ovault:imageio:sending"];

export interface Ending {
  /** Number of requests sent. */
  readonly requests: number;
  /** False when the work ended before the k-th request. */
  readonly aborted: boolean;
}

/**
 * Aborts the work at its k-th request to the engine or to imageio, or at its k-th message on other channels. Rethrows
 * its error unless it was aborted.
 */
export async function abortedAt(
  k: number,
  work: (signal: AbortSignal) => Promise<unknown>,
  channels: readonly string[] = REQUESTS,
): Promise<Ending> {
  const controller = new AbortController();
  let requests = 0;
  const onRequest = (): void => {
    requests += 1;
    if (requests === k) controller.abort(new CancelledError("enough"));
  };
  for (const name of channels) subscribe(name, onRequest);
  try {
    await work(controller.signal);
    return { requests, aborted: false };
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    return { requests, aborted: true };
  } finally {
    for (const name of channels) unsubscribe(name, onRequest);
  }
}
