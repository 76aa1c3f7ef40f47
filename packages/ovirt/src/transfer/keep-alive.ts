import { setTimeout as sleep } from "node:timers/promises";

import type { ImageioClient } from "../imageio/imageio-client.ts";

/**
 * Shows all transfers of a run in use while only some of them move data, so that nobody ends the others as idle. Returns
 * what stops it, and waits until it has stopped. Failures are left to the real requests to find.
 */
export function keepAlive(clients: readonly ImageioClient[], inactivityTimeoutSeconds: number): () => Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  const run = async (): Promise<void> => {
    for (;;) {
      await sleep((inactivityTimeoutSeconds * 1_000) / 4, undefined, { signal });
      await Promise.allSettled(clients.map((client) => client.keepAlive(signal)));
    }
  };
  const stopped = run().catch(() => undefined);
  return async () => {
    controller.abort();
    await stopped;
  };
}
