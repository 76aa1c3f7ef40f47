import { expect, test } from "vitest";

import { CancelledError, StorePermissionError } from "@ovault/contract";
import {
  type CheckResult,
  checkObjectStore,
  FaultyStore,
  InterceptedStore,
  MemoryStore,
  OBJECT_STORE_RESULTS,
  objectStoreChecks,
  type StoreCall,
} from "@ovault/testkit";

const { signal } = new AbortController();

test("a store that keeps the contract passes; nothing else of it is touched, and nothing is left", async () => {
  const store = new MemoryStore();
  await store.put("packs/00/a", [Buffer.from("mine")], { ifAbsent: true, signal });
  const seen: CheckResult[] = [];
  const results = await checkObjectStore(store, { signal, second: store, onResult: (result) => seen.push(result) });
  expect(results.filter(({ status }) => status === "failed")).toEqual([]);
  expect(results.map(({ name }) => name)).toEqual([
    ...objectStoreChecks.map(({ name }) => name),
    "what the checks made is removed",
  ]);
  expect(seen).toEqual(results);
  expect(results).toHaveLength(OBJECT_STORE_RESULTS);
  expect([...store.objects.keys()]).toEqual(["packs/00/a"]);
});

test("what a store cannot do is skipped with the reason", async () => {
  const results = await checkObjectStore(new MemoryStore(), { signal });
  const skipped = results.filter(({ status }) => status === "skipped");
  expect(new Set(skipped.map(({ detail }) => detail))).toEqual(
    new Set(["there is no second client", "the store cannot hold objects"]),
  );
});

test("a store that cannot be used at all is an error, not a list of failed checks", async () => {
  const error = new StorePermissionError("you may not");
  const store = new FaultyStore(new MemoryStore(), { call: 1, when: "before", forGood: true, error });
  const results: CheckResult[] = [];
  await expect(checkObjectStore(store, { signal, onResult: (result) => results.push(result) })).rejects.toBe(error);
});

class AbortingStore extends InterceptedStore {
  #calls = 0;
  readonly #at: number;
  readonly #abort: () => void;

  constructor(store: MemoryStore, at: number, abort: () => void) {
    super(store);
    this.#at = at;
    this.#abort = abort;
  }

  protected override async intercept<T>(_: StoreCall, work: () => Promise<T>): Promise<T> {
    this.#calls += 1;
    if (this.#calls === this.#at) this.#abort();
    return await work();
  }
}

test.each([1, 2, 5, 50, 500, 1500])("checks that are aborted at call %i remove what they made", async (at) => {
  const memory = new MemoryStore();
  const controller = new AbortController();
  const reason = new CancelledError("enough");
  const store = new AbortingStore(memory, at, () => controller.abort(reason));
  await expect(checkObjectStore(store, { signal: controller.signal, runs: 1 })).rejects.toBe(reason);
  expect([...memory.objects.keys()]).toEqual([]);
});

test("reports what could not be removed, with its folder", async () => {
  const store = new FaultyStore(new MemoryStore(), { call: 1, kinds: ["delete"], when: "before", forGood: true });
  const results = await checkObjectStore(store, { signal });
  expect(results.at(-1)).toMatchObject({
    status: "failed",
    detail: expect.stringMatching(/left below check-[0-9a-f]{12}\//),
  });
});
