import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { messageOf, type ObjectStore } from "@ovault/contract";
import { FaultyStore, keysOf, MemoryStore, type StoreCallKind } from "@ovault/testkit";

const { signal } = new AbortController();

/** One call of each kind that takes effect somewhere; the answer, or what was thrown. */
const calls: Readonly<Record<Exclude<StoreCallKind, "extend" | "heldUntil">, Call>> = {
  put: (store) => store.put("new", [Buffer.from("x")], { ifAbsent: true, signal }),
  get: (store) => store.get("old", { signal }),
  stat: (store) => store.stat("old", { signal }),
  list: (store) => keysOf(store, "", signal),
  delete: (store) => store.delete("old", { signal }),
};
type Call = (store: ObjectStore) => Promise<unknown>;
type CallName = keyof typeof calls;
const names: readonly CallName[] = ["put", "get", "stat", "list", "delete"];

async function outcomeOf(name: CallName, store: ObjectStore): Promise<string> {
  try {
    return JSON.stringify(await calls[name](store)) ?? "done";
  } catch (error) {
    return messageOf(error).replace(/ at call .*/, "");
  }
}

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-tally-"));
  vi.stubEnv("OVAULT_TALLY", join(directory, "tally"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true });
});

async function faultsCounted(): Promise<number> {
  const lines = await readFile(join(directory, "tally"), "utf8").catch(() => "");
  return lines.split("\n").filter((line) => line === "faults 1").length;
}

test("exactly the planned call fails, before or after it took effect, and each fault is counted", async () => {
  let planned = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...names), { maxLength: 12 }),
      fc.integer({ min: 1, max: 6 }),
      fc.option(fc.subarray([...names], { minLength: 1 }), { nil: undefined }),
      fc.constantFrom("before", "after"),
      fc.boolean(),
      async (made, call, kinds, when, forGood) => {
        const memory = new MemoryStore();
        const faulty = new FaultyStore(memory, { call, when, forGood, ...(kinds === undefined ? {} : { kinds }) });
        const model = new MemoryStore();
        for (const store of [memory, model]) await store.put("old", [Buffer.from("y")], { ifAbsent: true, signal });
        const counting = made.map((name) => kinds?.includes(name) ?? true);
        const fails = counting.map((counts, i) => counts && counting.slice(0, i).filter(Boolean).length === call - 1);
        const at = fails.indexOf(true);
        const broken = made.map((_, i) => fails[i] === true || (forGood && at >= 0 && i > at));
        const outcomes: string[] = [];
        const expected: string[] = [];
        for (const [i, name] of made.entries()) {
          outcomes.push(await outcomeOf(name, faulty));
          // Of the failed calls, only the planned one took effect, and only if it fails afterwards.
          const effect = broken[i] !== true || (i === at && when === "after") ? await outcomeOf(name, model) : "";
          expected.push(broken[i] === true && !effect.startsWith("no object") ? "planned fault" : effect);
        }
        expect(outcomes).toEqual(expected);
        expect(memory.objects).toEqual(model.objects);
        if (at >= 0) planned += 1;
      },
    ),
  );
  expect(await faultsCounted()).toBe(planned);
});
