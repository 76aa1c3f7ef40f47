import { setTimeout as sleep } from "node:timers/promises";

import type { ImageioClient } from "../imageio/imageio-client.ts";

/**
 * Keeps all transfers of a run active while only some move data, so that neither engine nor host ends the others as
 * idle. Returns a function that stops it and waits until it has stopped. Ignores failures: the real requests meet them.
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
