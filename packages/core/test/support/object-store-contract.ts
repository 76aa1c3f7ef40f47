import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { hasCode, type ObjectInfo, type ObjectStore, StoreError } from "@ovault/core";

import { keysOf, listed } from "./listed.ts";
import { storeCommands } from "./object-store-model.ts";

export interface ObjectStoreUnderTest {
  readonly store: ObjectStore;
  /** Closes and removes it. */
  dispose(): Promise<void>;
}

export interface ObjectStoreSuite {
  /** An empty store that shares nothing with the others. */
  open(): Promise<ObjectStoreUnderTest>;
  /** Runs of the model; fewer for slow stores. */
  readonly modelRuns?: number;
}

const signal = new AbortController().signal;
const bytes = (text: string): Uint8Array => Buffer.from(text);

/** What every driver must do: the checks of the ObjectStore contract. */
export function describeObjectStore(name: string, { open, modelRuns = 30 }: ObjectStoreSuite): void {
  async function withStore(work: (store: ObjectStore) => Promise<void>): Promise<void> {
    const { store, dispose } = await open();
    try {
      await work(store);
    } finally {
      await dispose();
    }
  }

  describe(`${name} keeps the object store contract`, () => {
    test("it behaves like a map from keys to bytes", async () => {
      await fc.assert(
        fc.asyncProperty(storeCommands(), (commands) =>
          withStore(async (store) => {
            await fc.asyncModelRun(() => ({ model: new Map<string, Uint8Array>(), real: store }), commands);
          }),
        ),
        { numRuns: modelRuns },
      );
    });

    test("a put joins its parts, whatever their number and size", async () => {
      await withStore(async (store) => {
        const part = fc.uint8Array({ maxLength: 40 });
        const small = fc.array(part, { maxLength: 5 });
        const many = fc.array(part, { minLength: 1030, maxLength: 1100 });
        await fc.assert(
          fc.asyncProperty(fc.oneof({ arbitrary: small, weight: 4 }, many), async (parts) => {
            await store.put("joined", parts, { ifAbsent: false, signal });
            expect(Buffer.concat(parts).equals(await store.get("joined", { signal }))).toBe(true);
          }),
          { numRuns: modelRuns },
        );
      });
    });

    test("an object of 20 MiB comes back as it was, whole and in ranges", async () => {
      await withStore(async (store) => {
        const parts = [0, 7, 13].map((seed) => pattern(7 * 1024 * 1024 - seed, seed));
        const whole = Buffer.concat(parts);
        await store.put("packs/large", parts, { ifAbsent: true, signal });
        expect(whole.equals(await store.get("packs/large", { signal }))).toBe(true);
        const range = { offset: 5_000_001, length: 10_000_001 };
        const part = whole.subarray(range.offset, range.offset + range.length);
        expect(part.equals(await store.get("packs/large", { range, signal }))).toBe(true);
      });
    });

    test("a range that ends past the object is an integrity error, and the last byte is not", async () => {
      await withStore(async (store) => {
        await store.put("a", [bytes("0123456789")], { ifAbsent: true, signal });
        const range = (offset: number, length: number) => store.get("a", { range: { offset, length }, signal });
        expect(Buffer.from(await range(9, 1)).toString()).toBe("9");
        expect((await range(10, 0)).length).toBe(0);
        await expect(range(9, 2)).rejects.toMatchObject({ code: "E_INTEGRITY" });
        await expect(range(11, 1)).rejects.toMatchObject({ code: "E_INTEGRITY" });
      });
    });

    test("what is not there is not found, and deleting it is no error", async () => {
      await withStore(async (store) => {
        await store.put("a/b", [bytes("x")], { ifAbsent: true, signal });
        for (const key of ["nothing", "no/such/folder", "a/c", "a/b/c"]) {
          await expect(store.get(key, { signal })).rejects.toMatchObject({ code: "E_OBJECT_NOT_FOUND" });
          await expect(store.stat(key, { signal })).rejects.toMatchObject({ code: "E_OBJECT_NOT_FOUND" });
          await store.delete(key, { signal });
        }
        expect(await keysOf(store)).toEqual(["a/b"]);
      });
    });

    test("keys come in ascending order of the whole key, below the prefix only", async () => {
      await withStore(async (store) => {
        const keys = ["a-b", "a.b", "a/b", "a/b-1", "a/c/d", "a0", "aa/a", "b"];
        for (const key of keys.toReversed()) await store.put(key, [bytes(key)], { ifAbsent: true, signal });
        expect(await keysOf(store)).toEqual(keys);
        expect(await keysOf(store, "a/")).toEqual(["a/b", "a/b-1", "a/c/d"]);
        expect(await keysOf(store, "nothing/")).toEqual([]);
      });
    });

    test("a listing can be left in the middle", async () => {
      await withStore(async (store) => {
        for (let i = 0; i < 200; i++) await store.put(`many/${1000 + i}`, [], { ifAbsent: true, signal });
        const seen: ObjectInfo[] = [];
        for await (const info of store.list("", { signal })) {
          seen.push(info);
          if (seen.length === 3) break;
        }
        expect(seen.map((info) => info.key)).toEqual(["many/1000", "many/1001", "many/1002"]);
      });
    });

    test("put-if-absent has one winner among many, and keeps the winner's bytes", async () => {
      await withStore(async (store) => {
        if (!store.capabilities.conditionalPut) return;
        for (let round = 0; round < 10; round++) {
          const key = `race/${round}`;
          const writers = Array.from({ length: 8 }, (_, i) => bytes(`writer ${i}`));
          const answers = await Promise.all(writers.map((body) => store.put(key, [body], { ifAbsent: true, signal })));
          expect(answers.filter((answer) => answer === "stored")).toHaveLength(1);
          const winner = writers[answers.indexOf("stored")];
          expect(Buffer.from(await store.get(key, { signal }))).toEqual(winner);
        }
      });
    });

    test("keys that are no keys are refused by every call", async () => {
      await withStore(async (store) => {
        const bad = [
          "",
          "/a",
          "a/",
          "a//b",
          ".",
          "..",
          "../a",
          "a/../../b",
          "A",
          "a b",
          "a\0b",
          ".a",
          "a.",
          "x".repeat(201),
        ];
        for (const key of bad) {
          await expect(store.put(key, [], { ifAbsent: false, signal })).rejects.toBeInstanceOf(StoreError);
          await expect(store.get(key, { signal })).rejects.toBeInstanceOf(StoreError);
          await expect(store.stat(key, { signal })).rejects.toBeInstanceOf(StoreError);
          await expect(store.delete(key, { signal })).rejects.toBeInstanceOf(StoreError);
        }
        await expect(keysOf(store, "../")).rejects.toBeInstanceOf(StoreError);
        await expect(keysOf(store, "a")).rejects.toBeInstanceOf(StoreError);
        await store.put(`${"x".repeat(200)}/${"y".repeat(200)}`, [], { ifAbsent: true, signal });
      });
    });

    test("an aborted call rejects with the reason and leaves no object", async () => {
      await withStore(async (store) => {
        const reason = new Error("enough");
        const aborted = AbortSignal.abort(reason);
        await store.put("there", [bytes("x")], { ifAbsent: true, signal });
        await expect(store.put("a", [bytes("x")], { ifAbsent: true, signal: aborted })).rejects.toBe(reason);
        await expect(store.get("there", { signal: aborted })).rejects.toBe(reason);
        await expect(store.stat("there", { signal: aborted })).rejects.toBe(reason);
        await expect(store.delete("there", { signal: aborted })).rejects.toBe(reason);
        await expect(keysOf(store, "", aborted)).rejects.toBe(reason);
        expect(await keysOf(store)).toEqual(["there"]);
      });
    });

    test("a put aborted at any moment either stored the whole object or nothing", async () => {
      const body = pattern(18 * 1024 * 1024, 3);
      await withStore(async (store) => {
        for (let turn = 0; turn < 12; turn++) {
          const controller = new AbortController();
          const key = `cut/${turn}/object`;
          const put = store.put(key, [body], { ifAbsent: true, signal: controller.signal });
          setTimeout(() => controller.abort(new Error("enough")), turn * 2);
          const outcome = await put.catch((error: unknown) => error);
          const found = await listed(store, `cut/${turn}/`);
          expect(found).toEqual(outcome === "stored" ? [{ key, bytes: body.length }] : []);
        }
      });
    });

    test("errors carry a stable code", async () => {
      await withStore(async (store) => {
        const error: unknown = await store.get("nothing", { signal }).catch((reason: unknown) => reason);
        expect(hasCode(error, "E_OBJECT_NOT_FOUND")).toBe(true);
      });
    });
  });
}

/** Bytes that differ from place to place and from seed to seed. */
export function pattern(length: number, seed: number): Uint8Array {
  const filled = new Uint8Array(length);
  for (let i = 0; i < length; i++) filled[i] = (i * 31 + (i >>> 11) + seed) & 0xff;
  return filled;
}
