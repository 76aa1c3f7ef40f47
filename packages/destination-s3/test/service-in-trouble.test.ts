import { getEventListeners } from "node:events";

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { ObjectStore } from "@ovault/contract";
import { Outage, retrying } from "@ovault/core";
import { keysOf } from "@ovault/testkit";

import type { Fault, FaultProxy } from "./support/fault-proxy.ts";
import { storeBehindProxy } from "./support/store-behind-proxy.ts";

const signal = new AbortController().signal;
const MEBIBYTE = Buffer.alloc(1024 * 1024, "content");
const TRANSIENT = { code: "E_STORE_UNAVAILABLE", retry: "transient" };

const calls = {
  put: (store: ObjectStore, by = signal) => store.put("new", [MEBIBYTE], { ifAbsent: true, signal: by }),
  get: (store: ObjectStore, by = signal) => store.get("there", { signal: by }),
  range: (store: ObjectStore, by = signal) => store.get("there", { range: { offset: 7, length: 7 }, signal: by }),
  stat: (store: ObjectStore, by = signal) => store.stat("there", { signal: by }),
  list: (store: ObjectStore, by = signal) => keysOf(store, "", by),
  delete: (store: ObjectStore, by = signal) => store.delete("there", { signal: by }),
};

async function storeWithObject(timeoutMs?: number): Promise<{ proxy: FaultProxy; store: ObjectStore }> {
  const opened = await storeBehindProxy({ timeoutMs });
  await opened.store.put("there", [MEBIBYTE], { ifAbsent: true, signal });
  // What it asks once, it shall not ask while something else is looked at.
  await opened.store.delete("nothing", { signal });
  return opened;
}

/** The next requests meet these faults, one each. */
function inject(proxy: FaultProxy, ...faults: readonly Fault[]): void {
  const left = faults.values();
  proxy.fault = () => left.next().value;
}

describe("a service in trouble", () => {
  test.each(Object.entries(calls))("%s says that another try may help, and it does", async (_, call) => {
    const { proxy, store } = await storeWithObject();
    for (const fault of [
      { kind: "answer", status: 500, code: "InternalError" },
      { kind: "answer", status: 503, code: "SlowDown" },
      { kind: "answer", status: 502 },
      { kind: "answer", status: 503 },
      { kind: "answer", status: 504 },
      { kind: "answer", status: 429 },
      { kind: "cut request", afterBytes: 0 },
      { kind: "swallow" },
    ] satisfies Fault[]) {
      inject(proxy, fault);
      await expect(call(store)).rejects.toMatchObject(TRANSIENT);
    }
    await call(store);
  });

  test.each([
    [409, "OperationAborted"],
    [409, "ConditionalRequestConflict"],
    [400, "RequestTimeout"],
    [400, "BadDigest"],
  ])("%i %s may be repeated", async (status, code) => {
    const { proxy, store } = await storeWithObject();
    inject(proxy, { kind: "answer", status, code });
    await expect(calls.put(store)).rejects.toMatchObject({ ...TRANSIENT, context: { code } });
    expect(await calls.put(store)).toBe("stored");
  });

  test("a connection that breaks while a body is sent leaves nothing", async () => {
    const { proxy, store } = await storeWithObject();
    for (const afterBytes of [1, 1000, 300_000, MEBIBYTE.byteLength - 1]) {
      inject(proxy, { kind: "cut request", afterBytes });
      await expect(calls.put(store)).rejects.toMatchObject(TRANSIENT);
    }
    expect(await keysOf(store)).toEqual(["there"]);
  });

  test("a connection that breaks while a body is received gives no short answer", async () => {
    const { proxy, store } = await storeWithObject();
    for (const afterBytes of [0, 1, 1000, 300_000, MEBIBYTE.byteLength - 1]) {
      inject(proxy, { kind: "cut answer", afterBytes });
      await expect(calls.get(store)).rejects.toMatchObject(TRANSIENT);
    }
    expect(MEBIBYTE.equals(await calls.get(store))).toBe(true);
  });

  test("a bit that turns over on the way is found by the service, and nothing is stored", async () => {
    const { proxy, store } = await storeWithObject();
    inject(proxy, { kind: "flip" });
    await expect(calls.put(store)).rejects.toMatchObject({ ...TRANSIENT, hint: expect.stringContaining("damaged") });
    expect(await keysOf(store)).toEqual(["there"]);
  });

  test("an object whose answer was lost is there, and the next put says so", async () => {
    const { proxy, store } = await storeWithObject();
    inject(proxy, { kind: "swallow" });
    await expect(calls.put(store)).rejects.toMatchObject(TRANSIENT);
    expect(await calls.put(store)).toBe("exists");
  });

  test.each(Object.entries(calls))("%s gives up on a service where nothing moves", async (_, call) => {
    const { proxy, store } = await storeWithObject(500);
    inject(proxy, { kind: "hang" });
    await expect(call(store)).rejects.toMatchObject(TRANSIENT);
  });

  test.each(Object.entries(calls))("%s can be aborted while nothing moves", async (name, call) => {
    const { proxy, store } = await storeWithObject();
    const reason = new Error(`enough of ${name}`);
    const controller = new AbortController();
    proxy.fault = () => {
      setImmediate(() => controller.abort(reason));
      return { kind: "hang" };
    };
    await expect(call(store, controller.signal)).rejects.toBe(reason);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test(
    "that lasts longer than a few calls with their pauses costs time and nothing else",
    { timeout: 60_000 },
    async () => {
      const { proxy, store } = await storeBehindProxy({ timeoutMs: 1000 });
      const reports: string[] = [];
      const outage = new Outage({ begins: () => reports.push("begins"), ends: () => reports.push("ends") });
      const patient = retrying(store, { outage });
      const since = performance.now();
      const troubles: readonly Fault[] = [
        { kind: "answer", status: 503, code: "SlowDown" },
        { kind: "cut request", afterBytes: 0 },
        { kind: "hang" },
      ];
      proxy.fault = () => troubles[Math.floor((performance.now() - since) / 3000)];
      const body = Buffer.alloc(100_000, "content");
      const puts = Array.from({ length: 6 }, async (_, number) => {
        await patient.put(`packs/${number}`, [body], { ifAbsent: true, signal });
        return body.equals(await patient.get(`packs/${number}`, { signal }));
      });
      expect(await Promise.all(puts)).toEqual(puts.map(() => true));
      expect(performance.now() - since).toBeGreaterThan(9000);
      expect(reports).toEqual(["begins", "ends"]);
    },
  );

  test("whatever faults come, what is repeated succeeds, and the bytes are right", async () => {
    const { proxy, store } = await storeBehindProxy();
    const patient = retrying(store, { policy: { patienceMs: 60_000, firstDelayMs: 1 } });
    const fault: fc.Arbitrary<Fault> = fc.oneof(
      fc.record({ kind: fc.constant("answer"), status: fc.constantFrom(408, 429, 500, 502, 503, 504) } as const),
      fc.record({ kind: fc.constantFrom("cut request", "cut answer"), afterBytes: fc.nat(100_000) } as const),
      fc.record({ kind: fc.constantFrom("swallow", "flip") } as const),
    );
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { maxLength: 8 }), fc.nat(150_000), async (faults, bytes) => {
        const key = `round/${(round += 1)}`;
        const body = Buffer.alloc(bytes, key);
        inject(proxy, ...faults);
        expect(["stored", "exists"]).toContain(await patient.put(key, [body], { ifAbsent: true, signal }));
        expect(body.equals(await patient.get(key, { signal }))).toBe(true);
        expect(await keysOf(patient, "round/")).toEqual([key]);
        await patient.delete(key, { signal });
        expect(await keysOf(patient)).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });
});

describe("connections", () => {
  test("are bounded in number, used again, and gone when the store is closed", async () => {
    const { proxy, store } = await storeWithObject();
    await Promise.all(Array.from({ length: 300 }, () => calls.range(store)));
    expect(proxy.connections.most).toBeLessThanOrEqual(64);
    expect(proxy.connections.made).toBeLessThan(100);
    expect(getEventListeners(signal, "abort")).toEqual([]);
    await store.close();
    await expect.poll(() => proxy.connections.open).toBe(0);
  });
});
