import type { ObjectKey, ObjectStore } from "@ovault/contract";

/** The calls of a store that have one answer: all but listings. */
export type StoreCallKind = "put" | "get" | "stat" | "delete" | "extend" | "heldUntil";

export interface StoreCall {
  readonly kind: StoreCallKind;
  readonly key: ObjectKey;
  readonly signal: AbortSignal;
}

/** What a wrapper does around a call: `work` makes it, as often as `around` likes. */
export type Around = <T>(call: StoreCall, work: () => Promise<T>) => Promise<T>;

/** The same store, with `around` around every call that has one answer. */
export function aroundCalls(store: ObjectStore, around: Around): ObjectStore {
  const { capabilities, retention } = store;
  return {
    capabilities,
    put: (key, parts, options) =>
      around({ kind: "put", key, signal: options.signal }, () => store.put(key, parts, options)),
    get: (key, options) => around({ kind: "get", key, signal: options.signal }, () => store.get(key, options)),
    stat: (key, options) => around({ kind: "stat", key, signal: options.signal }, () => store.stat(key, options)),
    delete: (key, options) => around({ kind: "delete", key, signal: options.signal }, () => store.delete(key, options)),
    list: (prefix, options) => store.list(prefix, options),
    close: () => store.close(),
    ...(retention !== undefined && {
      retention: {
        extend: (key, until, options) =>
          around({ kind: "extend", key, signal: options.signal }, () => retention.extend(key, until, options)),
        heldUntil: (key, options) =>
          around({ kind: "heldUntil", key, signal: options.signal }, () => retention.heldUntil(key, options)),
      },
    }),
  };
}

/** The same store, for wrappers that change a few calls: `{ ...delegate(store), put: … }`. */
export function delegate(store: ObjectStore): ObjectStore {
  return aroundCalls(store, (_, work) => work());
}
