import * as fc from "fast-check";
import { expect, test } from "vitest";

import { machineKey } from "@ovault/contract";
import { logged, ManagerNames, reportWarningsTo, Repository } from "@ovault/core";
import { MemoryStore } from "@ovault/testkit";
import { barePoint, datedId } from "@ovault/test-support/repository/bare-point";
import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { never } from "@ovault/test-support/repository/take-point";

import type { RecoveryPoints } from "../../src/points/recovery-points.ts";

/** Ids and managers cross: every machine shares its id with one, and its manager with another. */
const machines = fc.record({ manager: fc.constantFrom("prod", "dr"), id: fc.constantFrom("vm-0", "vm-1") });

test("of each machine the newest point is found that is not forgotten and proves itself", async () => {
  const fates = fc.constantFrom("kept", "forgotten", "damaged");
  const drafts = fc.array(fc.tuple(machines, fates, fc.boolean()), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(drafts, fc.nat(12), async (all, upgradedAt) => {
      const store = new MemoryStore();
      const { points } = await smallRepository(store, 512);
      const expected = new Map<string, string>();
      for (const [hour, [machine, fate]] of all.entries()) {
        const takenAt = new Date(Date.UTC(2026, 0, 1, hour));
        const id = hour < upgradedAt ? datedId(takenAt) : await points.nextId(machine, takenAt, never);
        const point = barePoint(machine, { id, takenAt });
        await points.seal(point, never);
        if (fate === "kept") expected.set(machineKey(machine), point.id);
        if (fate === "forgotten") await points.forget(point, never);
        if (fate !== "damaged") continue;
        await store.delete(points.keyOf(point), { signal: never });
        await store.put(points.keyOf(point), [Buffer.from("no manifest")], { ifAbsent: true, signal: never });
      }
      const found = [...(await points.newest(never))].map(([vm, { id }]) => [vm, id] as const);
      expect(new Map(found)).toEqual(expected);
    }),
  );
});

test("one manifest of each machine is read, when all ids are of this release", async () => {
  const store = new MemoryStore();
  const { points } = await smallRepository(store, 512);
  for (const manager of ["prod", "dr", "prod", "dr", "prod"]) {
    const machine = { manager, id: "vm-0" };
    const takenAt = new Date("2026-01-01T00:00:00Z");
    await points.seal(barePoint(machine, { id: await points.nextId(machine, takenAt, never), takenAt }), never);
  }
  const reads: string[] = [];
  const { points: seen } = await reopen(logged(store, (line) => reads.push(line)));
  reads.length = 0;
  expect((await seen.newest(never)).size).toBe(2);
  expect(reads.filter((line) => line.startsWith("get points/"))).toHaveLength(2);
});

test("a stray copy of a manifest elsewhere hides its point from no id", async () => {
  const store = new MemoryStore();
  const { points } = await smallRepository(store, 512);
  const machine = { manager: "prod", id: "vm-0" };
  const takenAt = new Date("2026-01-01T00:00:00Z");
  const point = barePoint(machine, { id: await points.nextId(machine, takenAt, never), takenAt });
  await points.seal(point, never);
  const manifest = await store.get(points.keyOf(point), { signal: never });
  const stray = points.keyOf(point).replace(/(?<=^points\/)\w+/, (folder) => "0".repeat(folder.length));
  await store.put(stray, [manifest], { ifAbsent: true, signal: never });
  const warnings: string[] = [];
  reportWarningsTo((text) => warnings.push(text));
  for (const named of [point.id, point.id.slice(0, 8)]) expect((await points.find(named, never)).id).toBe(point.id);
  expect(warnings).toEqual([`${stray} holds the manifest of another recovery point`]);
  await store.delete(points.keyOf(point), { signal: never });
  await expect(points.find(point.id, never)).rejects.toMatchObject({ code: "E_INTEGRITY" });
});

test("points under a former name of a manager are of the machine that it has now, and say the name in their manifests", async () => {
  const store = new MemoryStore();
  const { points } = await smallRepository(store, 512);
  const takenAt = new Date("2026-01-01T00:00:00Z");
  for (const manager of ["old", "other"]) {
    const stored = { manager, id: "vm-0" };
    await points.seal(barePoint(stored, { id: await points.nextId(stored, takenAt, never), takenAt }), never);
  }
  const managers = new ManagerNames([{ name: "new", formerNames: ["old"] }]);
  const renamed = await Repository.open(store, { managers, signal: never });
  const machine = { manager: "new", id: "vm-0" };
  const { points: own, unclaimed } = await renamed.points.listOf(machine, never);
  expect(own).toMatchObject([{ vm: { manager: "new" }, storedManager: "old" }]);
  expect(unclaimed).toMatchObject([{ vm: { manager: "other" } }]);
  expect([...(await renamed.points.newest(never)).keys()]).toContain(machineKey(machine));

  // Whatever a node calls the manager meanwhile, its copy of a point is the same object.
  expect(await copiesOf(renamed.points)).toEqual(await copiesOf(points));
});

/** Manifests of another repository that has all points of this one. */
async function copiesOf(source: RecoveryPoints): Promise<ReadonlyMap<string, Uint8Array>> {
  const copies = new MemoryStore();
  const { points: target } = await smallRepository(copies, 512);
  for (const point of (await source.list(never)).points) await target.seal(point, never);
  return new Map([...copies.objects].filter(([key]) => key.startsWith("points/")));
}
