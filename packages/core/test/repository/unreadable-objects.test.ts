import { expect, test } from "vitest";

import { type ObjectStore, StoreMediumError, type StoreError, StoreUnavailableError } from "@ovault/contract";
import { InterceptedStore, MemoryStore, type StoreCall } from "@ovault/testkit";
import { never } from "@ovault/test-support/repository/take-point";

import { REPOSITORY_KEY } from "../../src/format/layout.ts";
import { withUnreadableAsDamage } from "../../src/repository/damage/unreadable-objects.ts";

/** Fails calls on these keys, and counts the calls of each. */
class FailingStore extends InterceptedStore {
  readonly calls: Record<string, number> = {};
  readonly #failures: Readonly<Record<string, StoreError>>;

  constructor(store: ObjectStore, failures: Readonly<Record<string, StoreError>>) {
    super(store);
    this.#failures = failures;
  }

  protected override async intercept<T>({ key }: StoreCall, work: () => Promise<T>): Promise<T> {
    this.calls[key] = (this.calls[key] ?? 0) + 1;
    const failure = this.#failures[key];
    if (failure !== undefined) throw failure;
    return await work();
  }
}

const PACK = "packs/a";
const medium = new StoreMediumError("EIO", { retry: "transient" });
const unavailable = new StoreUnavailableError("timed out", { retry: "transient" });

function failing(failures: Readonly<Record<string, StoreError>>): FailingStore {
  const store = new MemoryStore();
  for (const key of [REPOSITORY_KEY, PACK]) store.objects.set(key, Buffer.from("x"));
  return new FailingStore(store, failures);
}

test.each([
  ["the medium fails is tried once, and the settings are read once", medium, 1],
  ["the store fails is tried again, and the settings are read again", unavailable, 2],
])("an object under which %s", async (_, failure, times) => {
  const disk = failing({ [PACK]: failure });
  const read = withUnreadableAsDamage(disk).get(PACK, { signal: never });
  await expect(read).rejects.toMatchObject({ code: "E_INTEGRITY", cause: failure, context: { key: PACK } });
  expect(disk.calls).toEqual({ [PACK]: times, [REPOSITORY_KEY]: times });
});

test.each([
  ["the medium", medium],
  ["the store", unavailable],
])("%s that fails under the settings too is no damage of an object", async (_, failure) => {
  const disk = failing({ [PACK]: failure, [REPOSITORY_KEY]: failure });
  await expect(withUnreadableAsDamage(disk).stat(PACK, { signal: never })).rejects.toBe(failure);
  expect(disk.calls).toEqual({ [PACK]: 1, [REPOSITORY_KEY]: 1 });
});
