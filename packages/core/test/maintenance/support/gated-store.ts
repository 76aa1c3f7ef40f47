import { InterceptedStore, type StoreCall } from "@ovault/testkit";

/** A call that was stopped on its way, and waits. */
export interface StoppedCall {
  /** Resolves when the call has come. */
  readonly reached: Promise<void>;
  /** Lets it, and everything behind it, go on. */
  release(): void;
}

/** A store that stops its process at a chosen call: that one and all later ones wait until they are released. */
export class GatedStore extends InterceptedStore {
  #stops: ((call: StoreCall) => boolean) | undefined;
  #reach: () => void = () => undefined;
  #gate: Promise<void> = Promise.resolve();

  /** At the next call that `stops`. */
  stopAt(stops: (call: StoreCall) => boolean): StoppedCall {
    const reached = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    this.#stops = stops;
    this.#reach = () => {
      this.#gate = gate.promise;
      reached.resolve();
    };
    return { reached: reached.promise, release: gate.resolve };
  }

  protected override async intercept<T>(call: StoreCall, work: () => Promise<T>): Promise<T> {
    if (this.#stops?.(call) === true) {
      this.#stops = undefined;
      this.#reach();
    }
    await this.#gate;
    return await work();
  }
}
