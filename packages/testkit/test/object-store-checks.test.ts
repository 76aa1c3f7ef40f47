import { expect, test } from "vitest";

import { IntegrityError, type ObjectStore, type PutOptions, type RetentionControl, StoreError } from "@ovault/contract";
import { HoldingStore, listed, LONGEST_KEY, MemoryStore, objectStoreChecks, runCheck } from "@ovault/testkit";

const { signal } = new AbortController();

/** Delegates to a store in memory, but for the calls that are replaced. */
function broken(replace: (memory: MemoryStore) => Partial<ObjectStore>): () => ObjectStore {
  return () => {
    const memory = new MemoryStore();
    return {
      capabilities: memory.capabilities,
      put: (key, parts, options) => memory.put(key, parts, options),
      get: (key, options) => memory.get(key, options),
      stat: (key, options) => memory.stat(key, options),
      list: (prefix, options) => memory.list(prefix, options),
      delete: (key, options) => memory.delete(key, options),
      close: () => memory.close(),
      ...replace(memory),
    };
  };
}

const MIB = 1024 * 1024;

/** Each breaks one law in a way that was seen in the wild, and the check that must tell. */
const offenders: Readonly<Record<string, readonly [open: () => ObjectStore, check: string]>> = {
  "keeps the first 1024 parts only": [
    broken((memory) => ({ put: (key, parts, options) => memory.put(key, parts.slice(0, 1024), options) })),
    "a put joins its parts, whatever their number and size",
  ],
  "takes an empty object for none": [
    broken((memory) => ({
      async put(key, parts, options) {
        return parts.every((part) => part.length === 0) ? "stored" : await memory.put(key, parts, options);
      },
    })),
    "an empty object is an object",
  ],
  "cuts objects at 64 MiB": [
    broken((memory) => ({
      put: (key, parts, options) => memory.put(key, [Buffer.concat(parts).subarray(0, 64 * MIB)], options),
    })),
    "an object of 128 MiB comes back as it was, whole and in ranges",
  ],
  "keeps the caller's buffers": [
    broken((memory) => ({
      async put(key, parts, options) {
        const answer = await memory.put(key, parts, options);
        const [only] = parts;
        if (answer === "stored" && parts.length === 1 && only !== undefined) memory.objects.set(key, only);
        return answer;
      },
    })),
    "bytes are copied: neither side sees what the other does with its buffers later",
  ],
  "answers short where a range ends past the object": [
    broken((memory) => ({
      async get(key, options) {
        const { range } = options;
        const whole = await memory.get(key, { signal: options.signal });
        return range === undefined ? whole : whole.slice(range.offset, range.offset + range.length);
      },
    })),
    "a range that ends past the object is an integrity error, and its last byte is not",
  ],
  "answers a range past the end with an error of its own": [
    broken((memory) => ({
      async get(key, options) {
        try {
          return await memory.get(key, options);
        } catch (error) {
          throw error instanceof IntegrityError ? new RangeError("416") : error;
        }
      },
    })),
    "a range that ends past the object is an integrity error, and its last byte is not",
  ],
  "takes a missing object for an empty one": [
    broken((memory) => ({
      get: async (key, options) => (memory.objects.has(key) ? await memory.get(key, options) : new Uint8Array()),
    })),
    "what is not there is not found, and deleting it is no error",
  ],
  "minds deleting what is not there": [
    broken((memory) => ({
      async delete(key, options) {
        await memory.stat(key, options);
        await memory.delete(key, options);
      },
    })),
    "what is not there is not found, and deleting it is no error",
  ],
  "makes keys longer than it may": [
    broken((memory) => ({
      async put(key, parts, options) {
        if (key.length > 255) throw new StoreError("name too long");
        return await memory.put(key, parts, options);
      },
    })),
    "names of 200 bytes and the longest keys are kept",
  ],
  "lets a key leave its folder": [
    broken((memory) => ({
      async put(key, parts, options) {
        if (!key.includes("..")) return await memory.put(key, parts, options);
        return "stored";
      },
    })),
    "keys that are no keys are refused by every call",
  ],
  "lists any beginning of a key": [
    broken((memory) => ({
      async *list(prefix, options) {
        for (const info of await listed(memory, "", options.signal)) if (info.key.startsWith(prefix)) yield info;
      },
    })),
    "keys that are no keys are refused by every call",
  ],
  "lists folder by folder": [
    broken((memory) => ({
      async *list(prefix, options) {
        const infos = await listed(memory, prefix, options.signal);
        yield* infos.toSorted((a, b) => (a.key.replaceAll("/", "\0") < b.key.replaceAll("/", "\0") ? -1 : 1));
      },
    })),
    "keys come in ascending order of the whole key, below the prefix only",
  ],
  "lists one page": [
    broken((memory) => ({
      async *list(prefix, options) {
        yield* (await listed(memory, prefix, options.signal)).slice(0, 1000);
      },
    })),
    "a listing of 1010 objects is complete and in order; it can be left, and ended by an abort",
  ],
  "does not hear an abort while it lists": [
    broken((memory) => ({
      async *list(prefix, options) {
        options.signal.throwIfAborted();
        yield* await listed(memory, prefix, signal);
      },
    })),
    "a listing of 1010 objects is complete and in order; it can be left, and ended by an abort",
  ],
  "looks before it puts": [
    broken((memory) => ({
      async put(key, parts, options) {
        if (options.ifAbsent && memory.objects.has(key)) return "exists";
        await new Promise(setImmediate);
        return await memory.put(key, parts, { ...options, ifAbsent: false });
      },
    })),
    "put-if-absent has exactly one winner among many, and keeps the winner's bytes",
  ],
  "ignores the condition for large objects": [
    broken((memory) => ({
      async put(key, parts, options) {
        const bytes = parts.reduce((sum, part) => sum + part.length, 0);
        return await memory.put(key, parts, { ...options, ifAbsent: options.ifAbsent && bytes < 16 * MIB });
      },
    })),
    "put-if-absent leaves what is there as it is",
  ],
  "writes in place": [
    broken((memory) => ({
      async put(key, parts, options) {
        if (options.ifAbsent) return await memory.put(key, parts, options);
        const body = Buffer.concat(parts);
        await memory.put(key, [body.subarray(0, body.length / 2)], options);
        await new Promise(setImmediate);
        return await memory.put(key, [body], options);
      },
    })),
    "a reader sees the old object or the new one, never a mixture",
  ],
  "does not look at the signal": [
    broken((memory) => ({ delete: (key) => memory.delete(key, { signal }) })),
    "a call with an aborted signal rejects with its reason and does nothing",
  ],
  "rejects with an error of its own when it is aborted": [
    broken((memory) => ({
      async stat(key, options) {
        if (options.signal.aborted) throw new StoreError("aborted");
        return await memory.stat(key, options);
      },
    })),
    "a call with an aborted signal rejects with its reason and does nothing",
  ],
  "leaves what an aborted put had sent": [
    broken((memory) => ({
      async put(key, parts, options) {
        const answer = await memory.put(key, parts, options);
        await new Promise(setImmediate);
        options.signal.throwIfAborted();
        return answer;
      },
    })),
    "a put aborted at any moment has stored the whole object, or rejects with the reason and leaves nothing",
  ],
  "holds nothing from the start": [
    () =>
      new (class extends HoldingStore {
        override put(key: string, parts: readonly Uint8Array[], { ifAbsent, signal: own }: PutOptions) {
          return super.put(key, parts, { ifAbsent, signal: own });
        }
      })(),
    "objects are held at least as long as was asked, and never less than before",
  ],
  "holds for shorter than before": [
    () => {
      const until = new Map<string, Date>();
      const retention: RetentionControl = {
        extend: async (key, date) => void until.set(key, date),
        heldUntil: async (key) => until.get(key),
      };
      return {
        ...broken(() => ({}))(),
        retention,
        put: async (key, _, { retainUntil }) => {
          if (retainUntil !== undefined) until.set(key, retainUntil);
          return "stored";
        },
      };
    },
    "objects are held at least as long as was asked, and never less than before",
  ],
  "fails when it cannot hold": [
    broken((memory) => ({
      async put(key, parts, options) {
        if (options.retainUntil !== undefined) throw new StoreError("cannot hold objects");
        return await memory.put(key, parts, options);
      },
    })),
    "a store that cannot hold objects ignores retainUntil",
  ],
};

for (const [what, [open, name]] of Object.entries(offenders)) {
  test(`a store that ${what} is found out, in one line`, async () => {
    const check = objectStoreChecks.find((known) => known.name === name);
    if (check === undefined) throw new Error(`there is no check "${name}"`);
    const { status, detail } = await runCheck(check, { store: open(), runs: 5, longestKey: LONGEST_KEY }, signal);
    expect(detail).toMatch(/^[^\n]*expected [^\n]*, got [^\n]*$/);
    expect(status).toBe("failed");
  });
}
