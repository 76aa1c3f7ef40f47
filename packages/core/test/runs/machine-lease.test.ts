import { beforeEach, expect, test } from "vitest";

import { type Clock, processIdentity, systemClock } from "@ovault/contract";
import { machineLease, type Repository } from "@ovault/core";
import { barePoint } from "@ovault/test-support/repository/bare-point";
import { never } from "@ovault/test-support/repository/take-point";
import { MemoryStore } from "@ovault/testkit";

import { acquireLease } from "../../src/leases/lease.ts";
import { plainProtection } from "../../src/format/protection.ts";
import type { ModelRuns } from "../support/model-runs.ts";
import { repositoryRuns } from "./support/repository-runs.ts";

let memory: MemoryStore;
let runs: ModelRuns<Repository>;

beforeEach(async () => {
  memory = new MemoryStore();
  runs = await repositoryRuns(memory);
});

/** A clock of another time. */
function clockOf(time: string): Clock {
  return { ...systemClock, now: () => new Date(time) };
}

test("a run that waited chooses its id when it begins, so that its point is the newer one", async () => {
  const options = {
    resource: machineLease(plainProtection("blake3"), runs.platform.vm()).resource,
    signal: never,
  } as const;
  const holder = { runId: "other", ...processIdentity() };
  const lease = await acquireLease(memory, { ...options, ttlMs: 1000, holder, ifBusy: "refuse" });
  const waiting = runs.backUp({ ifBusy: "wait", clock: clockOf("2026-11-30T00:00:00Z") });
  const id = await runs.store.points.nextId(runs.platform.vm(), new Date("2026-11-30T08:00:00Z"), never);
  const meanwhile = barePoint(runs.platform.vm(), { id, takenAt: new Date("2026-11-30T08:00:00Z") });
  await runs.store.points.seal(meanwhile, never);
  await lease.release();
  const point = await waiting;
  expect(await runs.sealed()).toEqual([{ ...meanwhile, vm: expect.anything() }, point]);
});

test("two managers that know one machine id do not wait for each other, nor build on each other's points", async () => {
  const dr = { ...runs.platform.vm(), manager: "dr" };
  const resource = machineLease(plainProtection("blake3"), dr).resource;
  const holder = { runId: "other", ...processIdentity() };
  const lease = await acquireLease(memory, { resource, ttlMs: 1000, holder, ifBusy: "refuse", signal: never });
  const own = await runs.backUp();
  await lease.release();
  const other = await runs.backUp({ vm: dr });
  expect([own.basePoint, other.basePoint]).toEqual([null, null]);
  expect((await runs.backUp()).basePoint).toBe(own.id);
  expect((await runs.backUp({ vm: dr })).basePoint).toBe(other.id);
});

test("a second run on the same machine is refused, and a waiting one gets its turn", async () => {
  const options = {
    resource: machineLease(plainProtection("blake3"), runs.platform.vm()).resource,
    ttlMs: 60_000,
    signal: never,
  } as const;
  const holder = { runId: "other", ...processIdentity() };
  const lease = await acquireLease(memory, { ...options, holder, ifBusy: "refuse" });
  await expect(runs.backUp()).rejects.toMatchObject({ code: "E_LEASE_HELD" });
  const waiting = runs.backUp({ ifBusy: "wait" });
  await lease.release();
  expect((await waiting).id).toBe((await runs.sealed())[0]?.id);
});
