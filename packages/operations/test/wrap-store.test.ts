import { describe, expect, test } from "vitest";

import { ConfigurationError, type ObjectStore, StoreUnavailableError } from "@ovault/contract";
import type { DestinationEntry } from "@ovault/core";
import type { DestinationSettings } from "@ovault/core/internal/config/destination-settings";
import { FaultyStore, MemoryStore, SlowStore } from "@ovault/testkit";

import { wrapStore } from "../src/installation/wrap-store.ts";

const { signal } = new AbortController();
const origin = { file: "/etc/ovault.yaml", path: [], lineOf: () => undefined };

const entryWith = (settings: DestinationSettings): DestinationEntry => ({
  name: "nas",
  type: "memory",
  options: {},
  origin,
  settings,
});
const unseen = { observe: (store: ObjectStore): ObjectStore => store, note: () => undefined };

describe("a destination's store", () => {
  test("repeats what fails transiently, and shows each attempt to the observer", async () => {
    const memory = new MemoryStore();
    const faulty = new FaultyStore(memory, { call: 1, when: "before" });
    const seen: string[] = [];
    const observe = (store: ObjectStore): ObjectStore => ({
      ...store,
      capabilities: store.capabilities,
      put: (key, parts, options) => {
        seen.push(key);
        return store.put(key, parts, options);
      },
    });
    const store = wrapStore(faulty, entryWith({}), { ...unseen, observe });
    expect(await store.put("a", [], { ifAbsent: true, signal })).toBe("stored");
    expect(seen).toEqual(["a", "a"]);
  });

  test("says once what is waited for, whatever the number of calls, and that it goes on", async () => {
    const lines: string[] = [];
    let failures = 4;
    const observe = (store: ObjectStore): ObjectStore => ({
      ...store,
      capabilities: store.capabilities,
      stat: async (key) => {
        if (failures-- > 0) throw new StoreUnavailableError("no route to the nas", { retry: "transient" });
        return { key, bytes: 0 };
      },
    });
    const store = wrapStore(new MemoryStore(), entryWith({ patience: 90_000 }), {
      observe,
      note: (line) => lines.push(line),
    });
    await Promise.all(["a", "b", "c", "d"].map((key) => store.stat(key, { signal })));
    expect(lines).toEqual(["nas: no route to the nas; trying again for up to 1:30", "nas: goes on after 0:00"]);
  });

  test("waits as long as its patience, and with none not at all", async () => {
    const faulty = new FaultyStore(new MemoryStore(), { call: 1, when: "before" });
    const store = wrapStore(faulty, entryWith({ patience: 0 }), unseen);
    await expect(store.stat("a", { signal })).rejects.toMatchObject({ code: "E_STORE_UNAVAILABLE" });
  });

  test("has no more calls under way than its limit", async () => {
    let now = 0;
    let most = 0;
    const memory = new MemoryStore();
    const counting = (store: ObjectStore): ObjectStore => ({
      ...store,
      capabilities: store.capabilities,
      stat: async (key, options) => {
        most = Math.max(most, ++now);
        return await store.stat(key, options).finally(() => now--);
      },
    });
    await memory.put("a", [], { ifAbsent: true, signal });
    const store = wrapStore(new SlowStore(memory, () => 1), entryWith({ limits: { concurrency: 2 } }), {
      ...unseen,
      observe: counting,
    });
    await Promise.all(Array.from({ length: 12 }, () => store.stat("a", { signal })));
    expect(most).toBe(2);
  });

  test("that is read-only refuses changes at once, with the setting in the hint", async () => {
    const slow = { upload: 1024 };
    const store = wrapStore(new MemoryStore(), entryWith({ readOnly: true, limits: slow }), unseen);
    await expect(store.put("a", [new Uint8Array(1e6)], { ifAbsent: true, signal })).rejects.toMatchObject({
      code: "E_STORE_READ_ONLY",
      hint: expect.stringContaining("destinations.nas.readOnly in /etc/ovault.yaml"),
    });
  });

  test("cannot lock what its service does not hold", () => {
    const entry = entryWith({ lockDays: 7 });
    expect(() => wrapStore(new MemoryStore(), entry, unseen)).toThrow(ConfigurationError);
    expect(() => wrapStore(new MemoryStore(), entry, unseen)).toThrow(/destination nas cannot hold/);
  });
});
