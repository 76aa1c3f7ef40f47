import * as fc from "fast-check";
import { beforeEach, expect, test } from "vitest";

import { type Clock, machineKey, type RecoveryPoint, type RunHooks, systemClock } from "@ovault/contract";
import type { Repository } from "@ovault/core";
import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { never } from "@ovault/test-support/repository/take-point";
import { MemoryStore } from "@ovault/testkit";

import { selectPoints } from "../../src/retention/select-points.ts";
import type { ModelRuns } from "../support/model-runs.ts";
import { changed, image, repositoryRuns } from "./support/repository-runs.ts";

let runs: ModelRuns<Repository>;

beforeEach(async () => {
  runs = await repositoryRuns(new MemoryStore());
});

/** A clock of another time. */
function clockOf(time: string): Clock {
  return { ...systemClock, now: () => new Date(time) };
}

test("a run after one whose clock was ahead is the newer one, starts from it, and says that a clock is wrong", async () => {
  const ahead = await runs.backUp({ clock: clockOf("2036-01-01T00:00:00Z") });
  runs.platform.disks.set("a", changed);
  const warnings: string[] = [];
  const taps = [(hooks: RunHooks) => hooks.warning.tap("test", (message) => warnings.push(message))];
  const right = await runs.backUp({ clock: clockOf("2026-11-30T00:00:00Z"), taps });
  expect(await runs.sealed()).toEqual([ahead, right]);
  expect(right).toMatchObject({ basePoint: ahead.id, takenAt: "2026-11-30T00:00:00.000Z", warnings });
  expect(warnings).toEqual([expect.stringMatching(`^the last point, ${ahead.id}, is dated 2036-.* clocks is wrong`)]);
  expect((await runs.store.points.newest(never)).get(machineKey(right.vm))).toEqual(right);

  runs.platform.disks.set("a", image);
  const next = await runs.backUp({ clock: clockOf("2026-12-01T00:00:00Z") });
  expect(next).toMatchObject({ basePoint: right.id, warnings: [] });
  const { forget } = selectPoints(await runs.sealed(), { keepLast: 1 });
  expect(forget).toEqual([ahead, right]);
});

test("whatever the clocks of nodes say, each run starts from the last one of its machine, and rules keep that", async () => {
  const histories = fc.array(
    fc.record({
      manager: fc.constantFrom("prod", "dr"),
      at: fc.date({ min: new Date("1971-01-01"), max: new Date("2199-12-31"), noInvalidDate: true }),
      full: fc.boolean(),
    }),
    { minLength: 1, maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(histories, async (all) => {
      runs.store = await smallRepository(new MemoryStore(), 512);
      const last = new Map<string, RecoveryPoint>();
      for (const { manager, at, full } of all) {
        const vm = { ...runs.platform.vm(), manager };
        const point = await runs.backUp({ vm, full, clock: clockOf(at.toISOString()) });
        expect(point.basePoint).toBe(full ? null : (last.get(manager)?.id ?? null));
        last.set(manager, point);
      }
      const { points } = await runs.store.points.list(never);
      const { keep } = selectPoints(points, { keepLast: 1 });
      expect(keep.map(({ point }) => point.id).toSorted()).toEqual([...last.values()].map(({ id }) => id).toSorted());
      expect((await runs.store.points.newest(never)).size).toBe(last.size);
    }),
    { numRuns: 25 },
  );
});
