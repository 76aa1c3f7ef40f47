import type { RunHooks } from "@ovault/contract";
import { EngineApi, EngineUnavailableError, OvirtManager, type EngineCaller } from "@ovault/ovirt";

/** What happens at a change that a run asks the engine for; the first is 1. */
export interface Fault {
  readonly atChange: number;
  /**
   * `dead`, `dies`: the process is killed before or after the engine gets the request; the call never returns, and no
   * other is made. `lost`: the engine gets it, and its answer is lost.
   */
  readonly kind: "dead" | "dies" | "lost";
}

/** A manager whose calls go wrong at one change. */
export class FaultyManager extends OvirtManager {
  #fault: Fault = { atChange: Infinity, kind: "dead" };
  #changes = 0;
  #died = Promise.withResolvers<"died">();

  override apiFor(runId: string, hooks?: Pick<RunHooks, "phase">): EngineApi {
    return this.#fault.atChange === Infinity
      ? super.apiFor(runId, hooks)
      : new EngineApi(this.#faulty(this.client.correlated(runId)));
  }

  /** Resolves to "died" when the process is killed, else to how the run ended. */
  async outlive(
    run: (manager: OvirtManager) => Promise<unknown>,
    fault: Fault,
  ): Promise<"died" | "succeeded" | "failed"> {
    this.#fault = fault;
    this.#changes = 0;
    this.#died = Promise.withResolvers();
    const ended = run(this).then(
      () => "succeeded" as const,
      () => "failed" as const,
    );
    return await Promise.race([ended, this.#died.promise]);
  }

  #faulty(caller: EngineCaller): EngineCaller {
    const { atChange, kind } = this.#fault;
    const died = this.#died;
    return new Proxy(caller, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        const call = async (args: readonly unknown[]): Promise<unknown> => await Reflect.apply(value, target, args);
        return async (...args: readonly unknown[]): Promise<unknown> => {
          const isChange = name === "post" || name === "put" || name === "delete";
          if (isChange) this.#changes += 1;
          const isLast = isChange && this.#changes === atChange;
          if (this.#changes < atChange || (kind === "lost" && !isLast)) return await call(args);
          if (isLast && kind !== "dead") await call(args);
          if (kind === "lost") throw new EngineUnavailableError("the answer was lost", { sent: true });
          died.resolve("died");
          return await new Promise(() => {});
        };
      },
    });
  }
}
