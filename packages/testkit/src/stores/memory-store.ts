import {
  assertKeyPrefix,
  assertObjectKey,
  type CallOptions,
  type GetOptions,
  IntegrityError,
  type ObjectInfo,
  type ObjectKey,
  ObjectNotFoundError,
  type ObjectStore,
  type PutOptions,
} from "@ovault/contract";

/** A complete object store in memory. */
export class MemoryStore implements ObjectStore {
  readonly capabilities = { conditionalPut: true };
  /** For tests to inspect and to damage. */
  readonly objects = new Map<ObjectKey, Uint8Array>();

  async put(
    key: ObjectKey,
    parts: readonly Uint8Array[],
    { ifAbsent, signal }: PutOptions,
  ): Promise<"stored" | "exists"> {
    signal.throwIfAborted();
    assertObjectKey(key);
    if (ifAbsent && this.objects.has(key)) return "exists";
    this.objects.set(key, Uint8Array.from(Buffer.concat(parts)));
    return "stored";
  }

  async get(key: ObjectKey, { range, signal }: GetOptions): Promise<Uint8Array> {
    signal.throwIfAborted();
    const object = this.#find(key);
    if (range === undefined) return Uint8Array.from(object);
    if (range.offset + range.length > object.length) {
      throw new IntegrityError(`${key} ends at byte ${object.length}`, { context: { key } });
    }
    return Uint8Array.from(object.subarray(range.offset, range.offset + range.length));
  }

  async stat(key: ObjectKey, { signal }: CallOptions): Promise<ObjectInfo> {
    signal.throwIfAborted();
    return { key, bytes: this.#find(key).length };
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<ObjectInfo> {
    assertKeyPrefix(prefix);
    for (const key of [...this.objects.keys()].toSorted()) {
      signal.throwIfAborted();
      const object = this.objects.get(key);
      if (object !== undefined && key.startsWith(prefix)) yield { key, bytes: object.length };
    }
  }

  async delete(key: ObjectKey, { signal }: CallOptions): Promise<void> {
    signal.throwIfAborted();
    assertObjectKey(key);
    this.objects.delete(key);
  }

  async close(): Promise<void> {}

  #find(key: ObjectKey): Uint8Array {
    assertObjectKey(key);
    const object = this.objects.get(key);
    if (object === undefined) throw new ObjectNotFoundError(`no object ${key}`, { context: { key } });
    return object;
  }
}
