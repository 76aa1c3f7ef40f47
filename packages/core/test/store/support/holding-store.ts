import { type CallOptions, type ObjectStore, StorePermissionError } from "@ovault/core";
import { MemoryStore } from "@ovault/testkit";

import { passedOn } from "../../../src/store/around-calls.ts";

/** A store in memory that can hold objects against deletion and change. */
export function holdingStore(): ObjectStore {
  const memory = new MemoryStore();
  const held = new Map<string, Date>();
  const assertFree = (key: string): void => {
    if ((held.get(key)?.getTime() ?? 0) > Date.now()) throw new StorePermissionError(`${key} is held`);
  };
  const extend = async (key: string, until: Date, options: CallOptions): Promise<void> => {
    await memory.stat(key, options);
    if (until.getTime() > (held.get(key)?.getTime() ?? 0)) held.set(key, until);
  };
  return {
    ...passedOn(memory),
    async put(key, parts, options) {
      if (!options.ifAbsent) assertFree(key);
      const answer = await memory.put(key, parts, options);
      if (answer === "stored" && options.retainUntil !== undefined) await extend(key, options.retainUntil, options);
      return answer;
    },
    async delete(key, options) {
      assertFree(key);
      await memory.delete(key, options);
    },
    retention: {
      extend,
      async heldUntil(key, options) {
        await memory.stat(key, options);
        return held.get(key);
      },
    },
  };
}
