/**
 * `/`-separated names of lower-case letters, digits, `-`, `_` and `.`; no name is empty, begins or ends with `.`, or is
 * longer than 200 bytes; at most 512 bytes in all. No key lies below another (`a` and `a/b`): file systems cannot hold
 * both. `assertObjectKey` checks the form.
 */
export type ObjectKey = string;

export interface ObjectInfo {
  readonly key: ObjectKey;
  readonly bytes: number;
}

export interface StoreCapabilities {
  /** `put` with `ifAbsent` has exactly one winner, also between machines. */
  readonly conditionalPut: boolean;
}

/**
 * A destination that holds whole objects under keys; the repository in core does the rest. Objects appear whole and
 * durable or not at all, and are never rewritten. Drivers throw StoreError and its kinds only, set `retry` honestly and
 * do not retry themselves: core wraps them. Aborting the signal rejects with its reason, promptly, and leaves no object
 * behind.
 */
export interface ObjectStore {
  readonly capabilities: StoreCapabilities;
  /**
   * Stores the concatenation of `parts` (at most 128 MiB together). The caller must not change the parts until the
   * promise settles. With `ifAbsent` the store leaves an existing object as it is and resolves to "exists".
   */
  put(key: ObjectKey, parts: readonly Uint8Array[], options: PutOptions): Promise<"stored" | "exists">;
  /**
   * The whole object or exactly `range` of it; the caller owns the bytes.
   * @throws ObjectNotFoundError; IntegrityError for a range past the end
   */
  get(key: ObjectKey, options: GetOptions): Promise<Uint8Array>;
  /** @throws ObjectNotFoundError */
  stat(key: ObjectKey, options: CallOptions): Promise<ObjectInfo>;
  /** All objects whose key starts with `prefix` (empty, or ending in `/`), in ascending order of key. */
  list(prefix: string, options: CallOptions): AsyncIterable<ObjectInfo>;
  /** Deleting what is not there is not an error. */
  delete(key: ObjectKey, options: CallOptions): Promise<void>;
  close(): Promise<void>;
  /**
   * Present if the store can hold objects against deletion (S3 object lock). A store without it ignores `retainUntil`.
   */
  readonly retention?: RetentionControl;
}

/** The service itself holds objects against deletion and change, so that stolen credentials do not help. */
export interface RetentionControl {
  /** Holds an object at least until `until`; never shortens the hold. @throws ObjectNotFoundError */
  extend(key: ObjectKey, until: Date, options: CallOptions): Promise<void>;
  /** When the hold ends; undefined for an object that is not held. @throws ObjectNotFoundError */
  heldUntil(key: ObjectKey, options: CallOptions): Promise<Date | undefined>;
}

export interface CallOptions {
  readonly signal: AbortSignal;
}
export interface PutOptions extends CallOptions {
  readonly ifAbsent: boolean;
  /** With `retention`: the store holds the object from the instant it exists. */
  readonly retainUntil?: Date;
}
export interface GetOptions extends CallOptions {
  readonly range?: { readonly offset: number; readonly length: number };
}
