import { setTimeout as sleep } from "node:timers/promises";

import type { ObjectStore } from "@ovault/contract";

import { InterceptedStore, type StoreCall } from "./intercepted-store.ts";

/** Passes calls on to another store, each after a delay, as a distant server would. */
export class SlowStore extends InterceptedStore {
  readonly #delayMs: () => number;

  /** @param delayMs called for each call */
  constructor(store: ObjectStore, delayMs: () => number) {
    super(store);
    this.#delayMs = delayMs;
  }

  protected override async intercept<T>({ signal }: StoreCall, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    await sleep(this.#delayMs(), undefined, { signal }).catch(() => signal.throwIfAborted());
    return await work();
  }
}
