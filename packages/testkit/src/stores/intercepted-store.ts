import type {
  CallOptions,
  GetOptions,
  ObjectInfo,
  ObjectKey,
  ObjectStore,
  PutOptions,
  RetentionControl,
  StoreCapabilities,
} from "@ovault/contract";

import { listed } from "./listed.ts";

export type StoreCallKind = "put" | "get" | "stat" | "list" | "delete" | "extend" | "heldUntil";

/** One call on its way to a store. */
export interface StoreCall {
  readonly kind: StoreCallKind;
  /** For `list` the prefix. */
  readonly key: ObjectKey;
  readonly signal: AbortSignal;
}

/**
 * Passes calls on to another store through `intercept`, which decides when `work` takes effect and what the call
 * returns. A listing is one call and arrives whole.
 */
export abstract class InterceptedStore implements ObjectStore {
  readonly capabilities: StoreCapabilities;
  readonly retention?: RetentionControl;
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
    this.capabilities = store.capabilities;
    if (store.retention !== undefined) this.retention = this.#intercepted(store.retention);
  }

  protected abstract intercept<T>(call: StoreCall, work: () => Promise<T>): Promise<T>;

  put(key: ObjectKey, parts: readonly Uint8Array[], options: PutOptions): Promise<"stored" | "exists"> {
    return this.intercept({ kind: "put", key, signal: options.signal }, () => this.#store.put(key, parts, options));
  }

  get(key: ObjectKey, options: GetOptions): Promise<Uint8Array> {
    return this.intercept({ kind: "get", key, signal: options.signal }, () => this.#store.get(key, options));
  }

  stat(key: ObjectKey, options: CallOptions): Promise<ObjectInfo> {
    return this.intercept({ kind: "stat", key, signal: options.signal }, () => this.#store.stat(key, options));
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<ObjectInfo> {
    const call: StoreCall = { kind: "list", key: prefix, signal };
    for (const info of await this.intercept(call, () => listed(this.#store, prefix, signal))) {
      signal.throwIfAborted();
      yield info;
    }
  }

  delete(key: ObjectKey, options: CallOptions): Promise<void> {
    return this.intercept({ kind: "delete", key, signal: options.signal }, () => this.#store.delete(key, options));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #intercepted(retention: RetentionControl): RetentionControl {
    return {
      extend: (key, until, options) =>
        this.intercept({ kind: "extend", key, signal: options.signal }, () => retention.extend(key, until, options)),
      heldUntil: (key, options) =>
        this.intercept({ kind: "heldUntil", key, signal: options.signal }, () => retention.heldUntil(key, options)),
    };
  }
}
