import type { Scheduler } from "fast-check";

import type { CallOptions, GetOptions, ObjectInfo, ObjectKey, ObjectStore, PutOptions } from "@ovault/core";

/**
 * Passes calls on to another store in whatever order the scheduler likes: a call takes effect some time after it was
 * made, and is answered some time after that.
 */
export class ScheduledStore implements ObjectStore {
  readonly capabilities = { conditionalPut: true };
  readonly #store: ObjectStore;
  readonly #scheduler: Scheduler;

  constructor(store: ObjectStore, scheduler: Scheduler) {
    this.#store = store;
    this.#scheduler = scheduler;
  }

  put(key: ObjectKey, parts: readonly Uint8Array[], options: PutOptions): Promise<"stored" | "exists"> {
    return this.#scheduled(`put ${key}`, options, () => this.#store.put(key, parts, options));
  }

  get(key: ObjectKey, options: GetOptions): Promise<Uint8Array> {
    return this.#scheduled(`get ${key}`, options, () => this.#store.get(key, options));
  }

  stat(key: ObjectKey, options: CallOptions): Promise<ObjectInfo> {
    return this.#scheduled(`stat ${key}`, options, () => this.#store.stat(key, options));
  }

  async *list(prefix: string, options: CallOptions): AsyncGenerator<ObjectInfo> {
    const infos = await this.#scheduled(`list ${prefix}`, options, async () => {
      const found: ObjectInfo[] = [];
      for await (const info of this.#store.list(prefix, options)) found.push(info);
      return found;
    });
    yield* infos;
  }

  delete(key: ObjectKey, options: CallOptions): Promise<void> {
    return this.#scheduled(`delete ${key}`, options, () => this.#store.delete(key, options));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #scheduled<T>(label: string, { signal }: CallOptions, work: () => Promise<T>): Promise<T> {
    await this.#scheduler.schedule(Promise.resolve(), label);
    signal.throwIfAborted();
    const result = await work();
    await this.#scheduler.schedule(Promise.resolve(), `${label} answered`);
    return result;
  }
}
