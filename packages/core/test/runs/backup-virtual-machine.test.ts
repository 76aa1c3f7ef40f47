import * as fc from "fast-check";
import { beforeEach, expect, test } from "vitest";

import { CancelledError, type Codec, ManagerError, MissingLibraryError, type RunHooks } from "@ovault/contract";
import type { Repository } from "@ovault/core";
import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, restoredBytes } from "@ovault/test-support/repository/take-point";
import { arbitraryDisk, FaultyStore, MemoryStore, ModelPlatform, ModelStrategy } from "@ovault/testkit";

import { lz4 } from "../../src/blocks/codecs/lz4.ts";
import type { ModelRuns } from "../support/model-runs.ts";
import { changed, repositoryRuns } from "./support/repository-runs.ts";

/** Steps of the model platform up to the end of reading. */
const BEFORE_CLOSE: ReadonlySet<string> = new Set(["instant", "open", "read"]);

let memory: MemoryStore;
let runs: ModelRuns<Repository>;

beforeEach(async () => {
  memory = new MemoryStore();
  runs = await repositoryRuns(memory);
});

function veto(hooks: RunHooks): void {
  hooks.beforeSeal.tap("test", () => {
    throw new Error("vetoed");
  });
}

test("a run seals a point with its documents and bases, and leaves nothing behind", async () => {
  const point = await runs.backUp();
  expect(await runs.sealed()).toEqual([point]);
  expect(point).toMatchObject({ strategy: "model", consistency: "crash", basePoint: null });
  expect(point.documents[0]?.text).toBe("<Envelope/>");
  expect(point.disks[0]).toMatchObject({ mode: "full", base: { checkpoint: 1 } });
  expect(runs.platform.made.size).toBe(0);
  expect((await runs.ledger.report()).active).toEqual([]);
});

test("a codec that cannot work here fails the run before anything is made on the manager", async () => {
  const missing: Codec = {
    id: lz4.id,
    name: lz4.name,
    encode: () => Promise.reject(new MissingLibraryError("there is no such library")),
    decode: (stored, plainBytes) => lz4.decode(stored, plainBytes),
  };
  const steps: string[] = [];
  runs.platform.step = (name) => steps.push(name);
  await expect(runs.backUp({ store: await reopen(memory, missing) })).rejects.toMatchObject({
    code: "E_MISSING_LIBRARY",
  });
  expect([steps, await runs.sealed()]).toEqual([[], []]);
});

test("a run that fails at any step seals nothing, cleans up, and is no base", async () => {
  await runs.backUp();
  const first = await runs.sealed();
  runs.platform.disks.set("a", changed);
  const steps: string[] = [];
  runs.platform.step = (name) => steps.push(name);
  await runs.backUp();
  const [, ...later] = await runs.sealed();
  for (const point of later) await runs.store.points.forget(point, never);
  const failing = steps.filter((name) => BEFORE_CLOSE.has(name));
  expect(failing.length).toBeGreaterThan(2);
  for (const at of failing.keys()) {
    let count = 0;
    runs.platform.step = (name) => {
      if (BEFORE_CLOSE.has(name) && count++ === at) throw new Error(`planned at ${name}`);
    };
    await expect(runs.backUp()).rejects.toThrow("planned");
    expect(runs.platform.made.size).toBe(0);
    expect(await runs.sealed()).toEqual(first);
  }
  runs.platform.step = () => undefined;
  expect(await restoredBytes(runs.store, await runs.backUp())).toEqual(changed.bytes);
});

test("a point that cannot be sealed leaves nothing that would have been its base", async () => {
  const steps: string[] = [];
  runs.platform.step = (name) => steps.push(name);
  await expect(runs.backUp({ taps: [veto] })).rejects.toThrow("vetoed");
  expect(steps.slice(-2)).toEqual(["close complete", "close failed"]);
});

test("a store that fails at any call of a run leaves the platform clean and earlier points whole", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryDisk(5), fc.integer({ min: 1, max: 25 }), async (disk, call) => {
      fc.pre(disk.bytes.byteLength > 0);
      const own = new ModelPlatform();
      own.disks.set("a", disk);
      const kept = new MemoryStore();
      const good = await smallRepository(kept, 512);
      const use = { vm: own.vm(), strategy: new ModelStrategy(own) };
      const first = await runs.backUp({ ...use, store: good });
      const faulty = new FaultyStore(kept, { call: call + 4, when: "before", forGood: true });
      const outcome = await reopen(faulty)
        .then((broken) => runs.backUp({ ...use, store: broken }))
        .then(
          () => "sealed",
          () => "failed",
        );
      const points = (await good.points.list(never)).points;
      expect(points.length).toBe(outcome === "sealed" ? 2 : 1);
      expect(own.made.size).toBe(0);
      expect(await restoredBytes(await reopen(kept), first)).toEqual(disk.bytes);
    }),
    { numRuns: 40 },
  );
});

test("a backup that the manager does not stand by when all is read is not sealed, and leaves nothing", async () => {
  const doubtful = new ModelStrategy(runs.platform);
  const take = doubtful.takeInstant.bind(doubtful);
  doubtful.takeInstant = async (request, context) =>
    Object.assign(await take(request, context), {
      confirm: () => Promise.reject(new ManagerError("the backup failed")),
    });
  await expect(runs.backUp({ strategy: doubtful })).rejects.toThrow("the backup failed");
  expect(await runs.sealed()).toEqual([]);
  expect(runs.platform.made.size).toBe(0);
});

test("a cancelled run ends in a cancellation, with nothing sealed and nothing left", async () => {
  const controller = new AbortController();
  runs.platform.step = (name) => {
    if (name === "read") controller.abort(new CancelledError("Ctrl-C"));
  };
  await expect(runs.backUp({ signal: controller.signal })).rejects.toMatchObject({ code: "E_CANCELLED" });
  expect(await runs.sealed()).toEqual([]);
  expect(runs.platform.made.size).toBe(0);
});
