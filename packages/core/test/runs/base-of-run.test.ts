import { beforeEach, expect, test } from "vitest";

import { ManagerNames, Repository } from "@ovault/core";
import { reopen } from "@ovault/test-support/repository/small-repository";
import { never, restoredBytes } from "@ovault/test-support/repository/take-point";
import { MemoryStore } from "@ovault/testkit";

import type { ModelRuns } from "../support/model-runs.ts";
import { changed, image, repositoryRuns } from "./support/repository-runs.ts";

let memory: MemoryStore;
let runs: ModelRuns<Repository>;

beforeEach(async () => {
  memory = new MemoryStore();
  runs = await repositoryRuns(memory);
});

test("the next run is incremental on the last sealed point", async () => {
  const first = await runs.backUp();
  runs.platform.disks.set("a", changed);
  const second = await runs.backUp();
  expect(second).toMatchObject({ basePoint: first.id, disks: [{ mode: "incremental" }] });
  expect(await restoredBytes(runs.store, second)).toEqual(changed.bytes);
});

test("a disk added between points is full, a removed one is gone, the others go on", async () => {
  await runs.backUp();
  runs.platform.disks.set("b", { bytes: image.bytes, extents: image.extents });
  runs.platform.disks.set("a", changed);
  const second = await runs.backUp();
  expect(second.disks.map(({ mode }) => mode)).toEqual(["incremental", "full"]);
  runs.platform.disks.delete("a");
  const third = await runs.backUp({ full: true });
  expect(third.disks.map(({ disk, mode }) => [disk.id, mode])).toEqual([["b", "full"]]);
  expect(await restoredBytes(runs.store, second, 0)).toEqual(changed.bytes);
});

test("a session that cannot be closed costs the base of the next run, not the point", async () => {
  runs.platform.step = (name) => {
    if (name === "close complete") throw new Error("the engine is gone");
  };
  const point = await runs.backUp();
  expect(point.disks[0]?.base).toBeUndefined();
  expect(point.warnings.join()).toContain("the engine is gone");
  expect(runs.platform.made.size).toBe(1);
  runs.platform.step = () => undefined;
  expect((await runs.backUp()).disks[0]?.mode).toBe("compared");
  const [leftover] = await runs.strategy.leftovers(await runs.ledger.abandoned());
  expect(leftover).toMatchObject({ gone: false, action: "remove backup of web01" });
});

test.each([
  ["before the run", "has lost data"],
  ["in the middle of it", "is damaged"],
])("a base that is damaged %s costs a full read in the same run, and the point says why", async (when, what) => {
  const first = await runs.backUp();
  const harm = (): void => {
    runs.platform.step = () => undefined;
    for (const [key, object] of memory.objects) {
      if (!key.startsWith("packs/") || object[9] !== 2) continue;
      memory.objects.set(
        key,
        object.map((byte) => byte ^ 1),
      );
    }
  };
  if (when === "before the run") harm();
  else runs.platform.step = harm;
  runs.store = await reopen(memory);
  runs.platform.disks.set("a", changed);
  const point = await runs.backUp();
  expect(point.disks[0]).toMatchObject({ mode: "full", reason: `the last point, ${first.id}, ${what}` });
  expect(point.warnings.join()).toContain("cannot be a base");
  expect(runs.platform.made.size).toBe(0);
  expect(await restoredBytes(await reopen(memory), point)).toEqual(changed.bytes);
  runs.store = await reopen(memory);
  expect((await runs.backUp()).disks[0]?.mode).toBe("incremental");
});

test("points of the same machine under a manager that the configuration does not know cause a warning", async () => {
  const old = await runs.backUp({ vm: { ...runs.platform.vm(), manager: "old" } });
  const managers = new ManagerNames([{ name: runs.platform.vm().manager, formerNames: [] }]);
  runs.store = await Repository.open(memory, { managers, signal: never });
  const orphaned = await runs.backUp();
  expect(orphaned.basePoint).toBeNull();
  expect(orphaned.warnings).toEqual([expect.stringMatching(/under manager "old".*formerNames: \[old\]/)]);
  const renamed = new ManagerNames([{ name: runs.platform.vm().manager, formerNames: ["old"] }]);
  runs.store = await Repository.open(memory, { managers: renamed, signal: never });
  expect((await runs.sealed()).map(({ id }) => id)).toEqual([old.id, orphaned.id]);
  expect((await runs.backUp()).warnings).toEqual([]);
});
