import type { Clock, ObjectStore } from "@ovault/core";
import { InterceptedStore, type StoreCall, type StoreCallKind } from "@ovault/testkit";

import { never } from "../../support/take-point.ts";

/** A machine that stands still at a certain call, the `nth` of that kind below that prefix, for some naps. */
export interface Freeze {
  readonly kind: StoreCallKind;
  readonly prefix: string;
  readonly nth: number;
  readonly naps: number;
}

/** Short, so that others do not seem silent because time flies while one sleeps. */
const NAP_MS = 30_000;

/** The store as a machine uses it that is suspended for a while: no call goes through meanwhile. */
export class FreezingStore extends InterceptedStore {
  readonly #freeze: Freeze | undefined;
  readonly #clock: Clock;
  #calls = 0;
  #frozen: Promise<void> | undefined;

  constructor(store: ObjectStore, freeze: Freeze | undefined, clock: Clock) {
    super(store);
    this.#freeze = freeze;
    this.#clock = clock;
  }

  protected override async intercept<T>({ kind, key, signal }: StoreCall, work: () => Promise<T>): Promise<T> {
    if (kind === this.#freeze?.kind && key.startsWith(this.#freeze.prefix)) {
      this.#calls += 1;
      if (this.#calls === this.#freeze.nth) this.#frozen = this.#stand(this.#freeze.naps);
    }
    await this.#frozen;
    signal.throwIfAborted();
    return await work();
  }

  async #stand(naps: number): Promise<void> {
    for (let nap = 0; nap < naps; nap += 1) await this.#clock.sleep(NAP_MS, never);
  }
}
