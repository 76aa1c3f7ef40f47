import { type Clock, ManagerError, ManagerUnavailableError, type Quiescing, systemClock } from "@ovault/contract";

/**
 * `lost`: done, but the answer does not arrive. `late`: done only after a thaw. `never`: hangs until the client
 * gives the request up.
 */
export type Freeze = "ok" | "refused" | "lost" | "late" | "never";
export type Thaw = "ok" | "refused" | "lost";

/** A guest that does as its script says, and then what it is asked. */
export class Guest implements Quiescing {
  frozen = false;
  thaws = 0;
  /** In the order of what took hold. */
  readonly history: string[];
  readonly #freeze: Freeze;
  readonly #thaws: Thaw[];
  readonly #thawed = Promise.withResolvers<void>();

  constructor(freeze: Freeze, thaws: readonly Thaw[], history: string[] = []) {
    this.history = history;
    this.#freeze = freeze;
    this.#thaws = [...thaws];
  }

  async freeze(_vm: unknown, signal: AbortSignal): Promise<void> {
    this.history.push("freeze");
    if (this.#freeze === "refused") throw new ManagerError("no guest agent");
    if (this.#freeze === "late") await this.#thawed.promise;
    if (this.#freeze === "never") {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw new ManagerUnavailableError("given up", { retry: "transient" });
    }
    this.frozen = true;
    this.history.push("frozen");
    if (this.#freeze === "lost") throw new ManagerUnavailableError("no answer", { retry: "transient" });
  }

  async thaw(): Promise<void> {
    this.thaws += 1;
    this.history.push("thaw");
    const how = this.#thaws.shift() ?? "ok";
    if (how === "refused") throw new ManagerError("busy");
    this.frozen = false;
    this.#thawed.resolve();
    if (how === "lost") throw new ManagerUnavailableError("no answer", { retry: "transient" });
  }
}

/** Time passes as fast as it is slept away. */
export function hurried(): Clock {
  let at = 0;
  return {
    ...systemClock,
    elapsedMs: () => at,
    sleep: async (ms, signal) => {
      // What is under way elsewhere comes first.
      await new Promise((resolve) => setTimeout(resolve, 1));
      signal.throwIfAborted();
      at += ms;
    },
  };
}
