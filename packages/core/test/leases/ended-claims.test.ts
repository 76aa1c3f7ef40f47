import { randomUUID } from "node:crypto";

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { processIdentity, type RecoveryPoint, systemClock as clock } from "@ovault/contract";
import { FaultyStore, keysOf, MemoryStore } from "@ovault/testkit";
import { BlockSite } from "@ovault/test-support/repository/block-site";
import { never } from "@ovault/test-support/repository/take-point";

import { acquireLease, isLeaseFree, type Lease } from "../../src/leases/lease.ts";
import { LeaseFolder } from "../../src/leases/lease-folder.ts";
import { isVoid } from "../../src/leases/void.ts";
import { EVERY_CALL, SwitchedStore } from "../support/switched-store.ts";

const RESOURCE = "vm-1";
const MANIFEST = `points/${"0".repeat(32)}/late`;

let memory: MemoryStore;
let store: SwitchedStore;
beforeEach(() => {
  memory = new MemoryStore();
  store = new SwitchedStore(memory);
});
afterEach(() => void vi.useRealTimers());

const seals = async (): Promise<readonly string[]> => [MANIFEST];

async function acquire(runId: string, on: SwitchedStore | FaultyStore = store): Promise<Lease> {
  const holder = { runId, ...processIdentity() };
  return await acquireLease(on, { resource: RESOURCE, holder, ttlMs: 60_000, ifBusy: "refuse", seals, signal: never });
}

/** A lease whose release has failed, as the lease of a run whose store went away. */
async function endedWithoutStore(): Promise<void> {
  const lease = await acquire("ended");
  store.gone = EVERY_CALL;
  await lease.release();
  store.gone = [];
}

async function stateOfClaim(): Promise<string | undefined> {
  const folder = new LeaseFolder(memory, RESOURCE);
  return (await folder.readClaim((await folder.look(never)).generation, never))?.state;
}

test("the next run of this process takes over at once from one whose lease could not be released", async () => {
  await endedWithoutStore();
  expect(await stateOfClaim()).toBe("held");
  expect(await isLeaseFree(store, RESOURCE, { clock, signal: never })).toBe(true);
  const next = await acquire("next");
  await next.assertHeld(never);
  await expect(acquire("third")).rejects.toMatchObject({ code: "E_LEASE_HELD", context: { runId: "next" } });
  await next.release();
});

test("a manifest of the ended run that arrives late seals nothing", async () => {
  const lease = await acquire("ended");
  const late: (() => Promise<unknown>)[] = [];
  const put = async (): Promise<never> => {
    late.push(() => memory.put(MANIFEST, [Buffer.from("a manifest")], { ifAbsent: true, signal: never }));
    store.gone = EVERY_CALL;
    throw new Error("the answer was lost");
  };
  await expect(lease.seal(put, never)).rejects.toThrow("lost");
  await lease.release();
  store.gone = [];
  const next = await acquire("next");
  for (const arrive of late) await arrive();
  expect(isVoid(await memory.get(MANIFEST, { signal: never }))).toBe(true);
  await next.release();
});

test("what could not be released is released in the background, for other nodes, as soon as the store is back", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const lease = await acquire("ended");
  store.gone = EVERY_CALL;
  await lease.release();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await stateOfClaim()).toBe("held");
  store.gone = [];
  await vi.advanceTimersByTimeAsync(5 * 60_000);
  await vi.waitFor(async () => expect(await stateOfClaim()).toBe("free"));
});

test("a release in the background takes nothing from the run that has taken over", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const lease = await acquire("ended");
  store.gone = EVERY_CALL;
  await lease.release();
  store.gone = [];
  const next = await acquire("next");
  await next.assertHeld(never);
  const before = await keysOf(memory, "leases/");
  const listings = vi.spyOn(memory, "list");
  await vi.advanceTimersByTimeAsync(5 * 60_000);
  await vi.waitFor(() => expect(listings).toHaveBeenCalled());
  await new Promise(setImmediate);
  expect(await keysOf(memory, "leases/")).toEqual(before);
  await next.release();
});

test("a claim whose put was carried out, though the store said nothing more, blocks no run of this process", async () => {
  // The claim is the first put.
  const dying = new FaultyStore(store, { call: 1, kinds: ["put"], when: "after", forGood: true });
  await expect(acquire("ended", dying)).rejects.toMatchObject({ code: "E_STORE_UNAVAILABLE" });
  expect(await stateOfClaim()).toBe("held");
  await (await acquire("next")).release();
});

test("what a process says of the runs of others counts for nothing", async () => {
  const holder = { runId: "elsewhere", ...processIdentity(), node: "another", bootId: "another" };
  const options = { resource: RESOURCE, ttlMs: 60_000, ifBusy: "refuse", signal: never } as const;
  const lease = await acquireLease(store, { ...options, holder });
  store.gone = EVERY_CALL;
  await lease.release();
  store.gone = [];
  await expect(acquire("next")).rejects.toMatchObject({ code: "E_LEASE_HELD" });
});

test.each([
  ["nothing works", EVERY_CALL],
  ["only deletions fail", ["delete"] as const],
])("a prune of this process does not heed a hold that was to be released when %s", async (_, gone) => {
  const site = await BlockSite.open();
  try {
    const point: RecoveryPoint = await site.backUp({ blocks: [1, 2] });
    const away = new SwitchedStore(site.store);
    const repository = await site.repository(away);
    const held = await repository.hold(point, { runId: randomUUID(), signal: never });
    away.gone = gone;
    await held.release();
    await site.forget(point);
    expect(await site.prune({ process: processIdentity() })).toMatchObject({ heldPoints: [], deletedPoints: 1 });
  } finally {
    await site.close();
  }
});
