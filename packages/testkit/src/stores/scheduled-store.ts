import type { Scheduler } from "fast-check";

import type { ObjectStore } from "@ovault/contract";

import { InterceptedStore, type StoreCall } from "./intercepted-store.ts";

/**
 * Passes calls on to another store in any order the scheduler chooses: a call takes effect some time after it was made,
 * and returns some time after that.
 */
export class ScheduledStore extends InterceptedStore {
  readonly #scheduler: Scheduler;

  constructor(store: ObjectStore, scheduler: Scheduler) {
    super(store);
    this.#scheduler = scheduler;
  }

  protected override async intercept<T>({ kind, key, signal }: StoreCall, work: () => Promise<T>): Promise<T> {
    await this.#scheduler.schedule(Promise.resolve(), `${kind} ${key}`);
    signal.throwIfAborted();
    const result = await work();
    await this.#scheduler.schedule(Promise.resolve(), `${kind} ${key} answered`);
    return result;
  }
}
