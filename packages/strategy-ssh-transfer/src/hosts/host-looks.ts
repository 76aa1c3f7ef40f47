import { Semaphore } from "@ovault/contract";

import { HypervisorError } from "../errors.ts";

interface Turns {
  readonly turn: Semaphore;
  /** The last look at which the host could not be used. */
  failure: { readonly error: HypervisorError } | undefined;
}

/**
 * Looks at hosts for leftovers, one at a time at each host. Where a host cannot be used, those that wait for it
 * meanwhile fail with it, so that a host which does not answer costs its time limit once.
 */
export class HostLooks {
  readonly #hosts = new Map<string, Turns>();

  /** @throws HypervisorError when the host cannot be used, also at another's look; what `look` throws */
  async at<T>(hostId: string, look: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const host = this.#hosts.get(hostId) ?? { turn: new Semaphore(1), failure: undefined };
    this.#hosts.set(hostId, host);
    const before = host.failure;
    return await host.turn.run(async () => {
      if (host.failure !== undefined && host.failure !== before) throw host.failure.error;
      try {
        return await look();
      } catch (error) {
        if (error instanceof HypervisorError) host.failure = { error };
        throw error;
      }
    }, signal);
  }
}
