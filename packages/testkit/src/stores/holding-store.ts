import {
  type CallOptions,
  type ObjectKey,
  type PutOptions,
  type RetentionControl,
  StorePermissionError,
} from "@ovault/contract";

import { MemoryStore } from "./memory-store.ts";

/** A store in memory that can hold objects against deletion and change, as S3 object lock does. */
export class HoldingStore extends MemoryStore {
  readonly #held = new Map<ObjectKey, Date>();

  readonly retention: RetentionControl = {
    extend: async (key, until, options) => {
      await this.stat(key, options);
      this.#hold(key, until);
    },
    heldUntil: async (key, options) => {
      await this.stat(key, options);
      return this.#held.get(key);
    },
  };

  override async put(key: ObjectKey, parts: readonly Uint8Array[], options: PutOptions): Promise<"stored" | "exists"> {
    if (!options.ifAbsent) this.#assertFree(key);
    const answer = await super.put(key, parts, options);
    if (answer === "stored" && options.retainUntil !== undefined) this.#hold(key, options.retainUntil);
    return answer;
  }

  override async delete(key: ObjectKey, options: CallOptions): Promise<void> {
    options.signal.throwIfAborted();
    this.#assertFree(key);
    await super.delete(key, options);
    this.#held.delete(key);
  }

  #hold(key: ObjectKey, until: Date): void {
    if (until.getTime() > (this.#held.get(key)?.getTime() ?? 0)) this.#held.set(key, until);
  }

  #assertFree(key: ObjectKey): void {
    const until = this.#held.get(key);
    if (until === undefined || until.getTime() <= Date.now()) return;
    throw new StorePermissionError(`${key} is held until ${until.toISOString()}`, { context: { key } });
  }
}
