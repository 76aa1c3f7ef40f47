import type { ObjectStore } from "@ovault/contract";
import { InterceptedStore, type StoreCall, type StoreCallKind } from "@ovault/testkit";

/** A machine that stands still at a certain call, the `nth` of that kind below that prefix. */
export interface Freeze {
  readonly kind: StoreCallKind;
  readonly prefix: string;
  readonly nth: number;
  /** Calls that other machines make meanwhile. */
  readonly calls: number;
}

/** What all machines do: by that, and not by a clock, one that stands still counts. */
export interface Surroundings {
  /** Calls to the store so far. */
  calls: number;
  /** Lets another one go on. */
  readonly step: () => Promise<void>;
}

/** So many steps in which no machine makes a call: all sleep, or stand still. */
const QUIET_STEPS = 300;

/** The store as a machine uses it that is suspended for a while: no call goes through meanwhile. */
export class FreezingStore extends InterceptedStore {
  readonly #freeze: Freeze | undefined;
  readonly #surroundings: Surroundings;
  #calls = 0;
  #frozen: Promise<void> | undefined;

  constructor(store: ObjectStore, freeze: Freeze | undefined, surroundings: Surroundings) {
    super(store);
    this.#freeze = freeze;
    this.#surroundings = surroundings;
  }

  protected override async intercept<T>({ kind, key, signal }: StoreCall, work: () => Promise<T>): Promise<T> {
    if (kind === this.#freeze?.kind && key.startsWith(this.#freeze.prefix)) {
      this.#calls += 1;
      if (this.#calls === this.#freeze.nth) this.#frozen = this.#stand(this.#freeze.calls);
    }
    await this.#frozen;
    signal.throwIfAborted();
    this.#surroundings.calls += 1;
    return await work();
  }

  async #stand(calls: number): Promise<void> {
    const around = this.#surroundings;
    const until = around.calls + calls;
    for (let quiet = 0, seen = -1; around.calls < until && quiet < QUIET_STEPS; quiet += 1) {
      if (seen !== around.calls) quiet = 0;
      seen = around.calls;
      await around.step();
    }
  }
}
