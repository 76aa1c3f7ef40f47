import {
  type CallOptions,
  type GetOptions,
  type ObjectInfo,
  type ObjectKey,
  type ObjectStore,
  type PutOptions,
  type StoreCapabilities,
  StoreUnavailableError,
} from "@ovault/core";

export interface Fault {
  /** Which call fails; the first is 1. Starting a `list` is one call. */
  readonly call: number;
  /** `after`: the call takes effect, but its caller is told that it failed (a lost reply). */
  readonly when: "before" | "after";
  /** All later calls fail too, and do nothing: the store is gone, or the process is. */
  readonly forGood?: boolean;
  /** What is thrown; a transient StoreUnavailableError if absent. */
  readonly error?: unknown;
}

/** Passes calls on to another store, and fails as planned. */
export class FaultyStore implements ObjectStore {
  readonly capabilities: StoreCapabilities;
  /** Calls so far. */
  calls = 0;
  readonly #store: ObjectStore;
  readonly #fault: Fault;

  constructor(store: ObjectStore, fault: Fault) {
    this.capabilities = store.capabilities;
    this.#store = store;
    this.#fault = fault;
  }

  put(key: ObjectKey, parts: readonly Uint8Array[], options: PutOptions): Promise<"stored" | "exists"> {
    return this.#call(() => this.#store.put(key, parts, options));
  }

  get(key: ObjectKey, options: GetOptions): Promise<Uint8Array> {
    return this.#call(() => this.#store.get(key, options));
  }

  stat(key: ObjectKey, options: CallOptions): Promise<ObjectInfo> {
    return this.#call(() => this.#store.stat(key, options));
  }

  async *list(prefix: string, options: CallOptions): AsyncGenerator<ObjectInfo> {
    yield* await this.#call(async () => this.#store.list(prefix, options));
  }

  delete(key: ObjectKey, options: CallOptions): Promise<void> {
    return this.#call(() => this.#store.delete(key, options));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    const number = ++this.calls;
    const { call, when, forGood = false } = this.#fault;
    if (number > call && forGood) throw this.#error(number);
    if (number !== call) return await work();
    if (when === "after") await work();
    throw this.#error(number);
  }

  #error(call: number): unknown {
    return this.#fault.error ?? new StoreUnavailableError(`planned fault at call ${call}`, { retry: "transient" });
  }
}
