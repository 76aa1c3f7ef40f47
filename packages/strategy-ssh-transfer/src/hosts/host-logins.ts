import { OvaultError } from "@ovault/contract";
import type { Host } from "@ovault/ovirt";

import type { Hypervisor } from "./hypervisor.ts";
import type { Hypervisors } from "./hypervisors.ts";
import { logInInTime } from "./log-in-in-time.ts";

export interface HostLoginsOptions {
  readonly hypervisors: Hypervisors;
  /** Receives, for people, which host the run waits for. */
  readonly onWait: (what: string) => void;
  /** Receives warnings of the run. */
  readonly warn: (message: string) => void;
}

/** The log-ins of one run: a host that could not be used for one disk is not tried again for the next. */
export class HostLogins {
  readonly #options: HostLoginsOptions;
  /** By host id. */
  readonly #failures = new Map<string, unknown>();
  readonly #warned = new Set<unknown>();

  constructor(options: HostLoginsOptions) {
    this.#options = options;
  }

  /** As `logInInTime`. `why`: for people. */
  async open(host: Host, why: string, signal: AbortSignal): Promise<Hypervisor> {
    if (this.#failures.has(host.id)) throw this.#failures.get(host.id);
    const { hypervisors, onWait } = this.#options;
    try {
      return await logInInTime(host, hypervisors, { onWait, why }, signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#failures.set(host.id, error);
      throw error;
    }
  }

  /** Warns, once, of each of these failures that was one to log in: another host serves, and nothing else tells it. */
  passOver(failures: readonly unknown[]): void {
    const ofLogins = new Set(this.#failures.values());
    for (const failure of failures) {
      if (!ofLogins.has(failure) || this.#warned.has(failure) || !(failure instanceof OvaultError)) continue;
      this.#warned.add(failure);
      this.#options.warn(`${failure.message}. ${failure.hint ?? ""}`.trim());
    }
  }
}
