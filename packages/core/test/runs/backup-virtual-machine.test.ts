import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import {
  CancelledError,
  type Clock,
  type Codec,
  machineKey,
  ManagerError,
  MissingLibraryError,
  processIdentity,
  QuiesceError,
  type RecoveryPoint,
  type RunHooks,
  systemClock,
} from "@ovault/contract";
import {
  type BackupOptions,
  backupVirtualMachine,
  FileLedger,
  type Ledger,
  machineLease,
  ManagerNames,
  Repository,
  restoreVirtualMachine,
} from "@ovault/core";
import { acquireLease } from "../../src/leases/lease.ts";
import { lz4 } from "../../src/blocks/codecs/lz4.ts";
import { plainProtection } from "../../src/format/protection.ts";
import { selectPoints } from "../../src/retention/select-points.ts";
import {
  applyChanges,
  arbitraryDisk,
  FaultyStore,
  MemoryStore,
  type ModelDisk,
  ModelPlatform,
  ModelStrategy,
} from "@ovault/testkit";

import { barePoint } from "@ovault/test-support/repository/bare-point";
import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, restoredBytes } from "@ovault/test-support/repository/take-point";

const image: ModelDisk = {
  bytes: Uint8Array.from({ length: 6000 }, (_, at) => (at % 1500 < 700 ? 0 : (at >> 6) & 0xff)),
  extents: [{ offset: 0, length: 6000, kind: "data" }],
};
const changed = applyChanges(image, { changes: [{ at: 0.5, length: 600, seed: 7 }], grownBy: 0 });

/** Steps of the model platform up to the end of reading. */
const BEFORE_CLOSE: ReadonlySet<string> = new Set(["instant", "open", "read"]);

let directory: string;
let ledger: Ledger;
let store: MemoryStore;
let repository: Repository;
let platform: ModelPlatform;
let strategy: ModelStrategy;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-runs-"));
  ledger = await FileLedger.open(directory);
  store = new MemoryStore();
  repository = await smallRepository(store, 512);
  platform = new ModelPlatform();
  platform.disks.set("a", image);
  strategy = new ModelStrategy(platform);
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

function veto(hooks: RunHooks): void {
  hooks.beforeSeal.tap("test", () => {
    throw new Error("vetoed");
  });
}

function removeAllDisks(hooks: RunHooks): void {
  hooks.selectDisks.tap("test", () => []);
}

function backup(options: Partial<BackupOptions> = {}) {
  return backupVirtualMachine({
    vm: platform.vm(),
    strategy,
    store: repository,
    ledger,
    full: false,
    excludeDisks: [],
    taps: [],
    ifBusy: "refuse",
    signal: never,
    ...options,
  });
}

async function sealedPoints() {
  return (await repository.points.listOf(platform.vm(), never)).points;
}

test("a run seals a point with its documents and bases, and leaves nothing behind", async () => {
  const point = await backup();
  expect(await sealedPoints()).toEqual([point]);
  expect(point).toMatchObject({ strategy: "model", consistency: "crash", basePoint: null });
  expect(point.documents[0]?.text).toBe("<Envelope/>");
  expect(point.disks[0]).toMatchObject({ mode: "full", base: { checkpoint: 1 } });
  expect(platform.made.size).toBe(0);
  expect((await ledger.report()).active).toEqual([]);
});

test("a codec that cannot work here fails the run before anything is made on the manager", async () => {
  const missing: Codec = {
    id: lz4.id,
    name: lz4.name,
    encode: () => Promise.reject(new MissingLibraryError("there is no such library")),
    decode: (stored, plainBytes) => lz4.decode(stored, plainBytes),
  };
  const steps: string[] = [];
  platform.step = (name) => steps.push(name);
  await expect(backup({ store: await reopen(store, missing) })).rejects.toMatchObject({
    code: "E_MISSING_LIBRARY",
  });
  expect([steps, await sealedPoints()]).toEqual([[], []]);
});

test("the next run is incremental on the last sealed point", async () => {
  const first = await backup();
  platform.disks.set("a", changed);
  const second = await backup();
  expect(second).toMatchObject({ basePoint: first.id, disks: [{ mode: "incremental" }] });
  expect(await restoredBytes(repository, second)).toEqual(changed.bytes);
});

test("a disk added between points is full, a removed one is gone, the others go on", async () => {
  await backup();
  platform.disks.set("b", { bytes: image.bytes, extents: image.extents });
  platform.disks.set("a", changed);
  const second = await backup();
  expect(second.disks.map(({ mode }) => mode)).toEqual(["incremental", "full"]);
  platform.disks.delete("a");
  const third = await backup({ full: true });
  expect(third.disks.map(({ disk, mode }) => [disk.id, mode])).toEqual([["b", "full"]]);
  expect(await restoredBytes(repository, second, 0)).toEqual(changed.bytes);
});

test("a run that fails at any step seals nothing, cleans up, and is no base", async () => {
  await backup();
  const first = await sealedPoints();
  platform.disks.set("a", changed);
  const steps: string[] = [];
  platform.step = (name) => steps.push(name);
  await backup();
  const [, ...later] = await sealedPoints();
  for (const point of later) await repository.points.forget(point, never);
  const failing = steps.filter((name) => BEFORE_CLOSE.has(name));
  expect(failing.length).toBeGreaterThan(2);
  for (const at of failing.keys()) {
    let count = 0;
    platform.step = (name) => {
      if (BEFORE_CLOSE.has(name) && count++ === at) throw new Error(`planned at ${name}`);
    };
    await expect(backup()).rejects.toThrow("planned");
    expect(platform.made.size).toBe(0);
    expect(await sealedPoints()).toEqual(first);
  }
  platform.step = () => undefined;
  expect(await restoredBytes(repository, await backup())).toEqual(changed.bytes);
});

test("a point that cannot be sealed leaves nothing that would have been its base", async () => {
  const steps: string[] = [];
  platform.step = (name) => steps.push(name);
  await expect(backup({ taps: [veto] })).rejects.toThrow("vetoed");
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
      const first = await backup({ ...use, store: good });
      const faulty = new FaultyStore(kept, { call: call + 4, when: "before", forGood: true });
      const outcome = await reopen(faulty)
        .then((broken) => backup({ ...use, store: broken }))
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

test("a session that cannot be closed costs the base of the next run, not the point", async () => {
  platform.step = (name) => {
    if (name === "close complete") throw new Error("the engine is gone");
  };
  const point = await backup();
  expect(point.disks[0]?.base).toBeUndefined();
  expect(point.warnings.join()).toContain("the engine is gone");
  expect(platform.made.size).toBe(1);
  platform.step = () => undefined;
  expect((await backup()).disks[0]?.mode).toBe("compared");
  const [leftover] = await strategy.leftovers(await ledger.abandoned());
  expect(leftover).toMatchObject({ gone: false, action: "remove backup of web01" });
});

test.each([
  ["before the run", "has lost data"],
  ["in the middle of it", "is damaged"],
])("a base that is damaged %s costs a full read in the same run, and the point says why", async (when, what) => {
  const first = await backup();
  const harm = (): void => {
    platform.step = () => undefined;
    for (const [key, object] of store.objects) {
      if (!key.startsWith("packs/") || object[9] !== 2) continue;
      store.objects.set(
        key,
        object.map((byte) => byte ^ 1),
      );
    }
  };
  if (when === "before the run") harm();
  else platform.step = harm;
  repository = await reopen(store);
  platform.disks.set("a", changed);
  const point = await backup();
  expect(point.disks[0]).toMatchObject({ mode: "full", reason: `the last point, ${first.id}, ${what}` });
  expect(point.warnings.join()).toContain("cannot be a base");
  expect(platform.made.size).toBe(0);
  expect(await restoredBytes(await reopen(store), point)).toEqual(changed.bytes);
  repository = await reopen(store);
  expect((await backup()).disks[0]?.mode).toBe("incremental");
});

test("a backup that the manager does not stand by when all is read is not sealed, and leaves nothing", async () => {
  const doubtful = new ModelStrategy(platform);
  const take = doubtful.takeInstant.bind(doubtful);
  doubtful.takeInstant = async (request, context) =>
    Object.assign(await take(request, context), {
      confirm: () => Promise.reject(new ManagerError("the backup failed")),
    });
  await expect(backup({ strategy: doubtful })).rejects.toThrow("the backup failed");
  expect(await sealedPoints()).toEqual([]);
  expect(platform.made.size).toBe(0);
});

test("a machine without a disk to take keeps its configuration as a point, which says so", async () => {
  const calls: string[] = [];
  const watch = (hooks: RunHooks): void => {
    hooks.beforeSnapshot.tap("test", () => void calls.push("snapshot"));
    hooks.consistency.tap("test", () => {
      throw new QuiesceError("nothing was frozen");
    });
  };
  strategy.skipped.add("a");
  const point = await backup({ taps: [watch] });
  expect(await sealedPoints()).toEqual([point]);
  expect(point).toMatchObject({ basePoint: null, disks: [], skipped: [{ disk: { id: "a" }, reason: "a test" }] });
  expect(point.documents[0]?.text).toBe("<Envelope/>");
  expect(point.warnings).toEqual([expect.stringMatching(/web01 has no disk that can be taken \(a: a test\)/)]);
  // Nothing is read, so that nothing has to come to rest for it.
  expect(calls).toEqual([]);
  platform.disks.clear();
  expect((await backup()).disks).toEqual([]);
});

test("a machine that has disks is never sealed without any of them", async () => {
  const all = { excludeDisks: ["a"] };
  await expect(backup(all)).rejects.toMatchObject({
    code: "E_USAGE",
    message: expect.stringContaining("a: excluded by the user"),
  });
  await expect(backup({ taps: [removeAllDisks] })).rejects.toMatchObject({ code: "E_USAGE" });
  platform.disks.set("b", changed);
  strategy.skipped.add("b");
  await expect(backup(all)).rejects.toMatchObject({ code: "E_USAGE" });
  expect(await sealedPoints()).toEqual([]);
});

test("a point without disks lets what the one before kept on the manager go", async () => {
  const owner = Object.assign(new ModelStrategy(platform), {
    keeps: () => [{ kind: "checkpoint", title: "old checkpoint", detail: {} }],
  });
  const leftovers = vi.spyOn(owner, "leftovers");
  await backup({ strategy: owner, strategies: [owner] });
  strategy.skipped.add("a");
  owner.skipped.add("a");
  const point = await backup({ strategy: owner, strategies: [owner] });
  expect(point.disks).toEqual([]);
  expect(leftovers.mock.calls.flatMap(([entries]) => entries.map(({ title }) => title))).toEqual(["old checkpoint"]);
  expect(await ledger.abandoned()).toEqual([]);
});

test("a disk the strategy cannot take is an error unless it is excluded", async () => {
  platform.disks.set("b", changed);
  strategy.impossible.add("b");
  await expect(backup()).rejects.toMatchObject({ code: "E_USAGE", message: expect.stringContaining("disk b") });
  const point = await backup({ excludeDisks: ["b"] });
  expect(point.disks.length).toBe(1);
  expect(point.skipped).toMatchObject([{ disk: { id: "b" }, reason: "excluded by the user" }]);
});

test("gates may veto, observers may not harm, and thaw follows freeze in every case", async () => {
  const calls: string[] = [];
  const tap = (hooks: RunHooks): void => {
    hooks.beforeSnapshot.tap("test", () => void calls.push("freeze"));
    hooks.afterSnapshot.tap("test", () => void calls.push("thaw"));
    hooks.phase.tap("test", () => {
      throw new Error("a bad observer");
    });
  };
  await backup({ taps: [tap] });
  expect(calls).toEqual(["freeze", "thaw"]);
  const before = await sealedPoints();
  await expect(backup({ taps: [veto] })).rejects.toThrow("vetoed");
  platform.step = (name) => {
    if (name === "instant") throw new Error("no snapshot");
  };
  await expect(backup({ taps: [tap] })).rejects.toThrow("no snapshot");
  expect(calls).toEqual(["freeze", "thaw", "freeze", "thaw"]);
  expect(await sealedPoints()).toEqual(before);
  expect(platform.made.size).toBe(0);
});

test("the guest thaws as soon as the instant is held: before any disk is opened, and before what the instant is worth is asked", async () => {
  const steps: string[] = [];
  platform.step = (name) => steps.push(name);
  const tap = (hooks: RunHooks): void => {
    hooks.beforeSnapshot.tap("test", () => void steps.push("freeze"));
    hooks.afterSnapshot.tap("test", () => void steps.push("thaw"));
    hooks.consistency.tap("test", (consistency) => {
      steps.push("consistency");
      return consistency;
    });
  };
  await backup({ taps: [tap] });
  const order = steps.filter((name, index) => name !== steps[index - 1]);
  const expected = ["freeze", "instant", "thaw", "consistency", "open", "read", "close complete", "retire"];
  expect(order).toEqual(expected);
});

test("a failure to open the disks closes the instant, after the thaw, and leaves nothing", async () => {
  const steps: string[] = [];
  platform.step = (name) => {
    steps.push(name);
    if (name === "open") throw new Error("no transfer");
  };
  const taps = [(hooks: RunHooks) => hooks.afterSnapshot.tap("test", () => void steps.push("thaw"))];
  await expect(backup({ taps })).rejects.toThrow("no transfer");
  expect(steps).toEqual(["instant", "thaw", "open", "close failed"]);
  expect(await sealedPoints()).toEqual([]);
  expect([platform.made.size, platform.checkpoints.size]).toEqual([0, 0]);
  expect((await ledger.report()).active).toEqual([]);
});

test("a point is dated by the clock of the moment in which the manager held its instant", async () => {
  let now = Date.parse("2026-11-30T00:00:00Z");
  const clock: Clock = { ...systemClock, now: () => new Date(now) };
  platform.step = (name) => {
    if (name === "instant") now += 600_000;
  };
  const taps = [(hooks: RunHooks) => hooks.afterSnapshot.tap("test", () => void (now += 3_000_000))];
  const { takenAt, sealedAt } = await backup({ clock, taps });
  expect([takenAt, sealedAt]).toEqual(["2026-11-30T00:10:00.000Z", "2026-11-30T01:00:00.000Z"]);
});

test("every tap after the snapshot is called, whatever the others throw, and the point tells what they threw", async () => {
  const calls: string[] = [];
  const tap = (hooks: RunHooks): void => {
    hooks.started.tap("test", ({ runId, vm }) => void calls.push(`${vm.name} ${runId === "" ? "without" : "with"} id`));
    hooks.afterSnapshot.tap("sync", () => {
      throw new Error("first");
    });
    hooks.afterSnapshot.tapPromise("promise", async () => {
      await Promise.resolve();
      throw new Error("second");
    });
    hooks.afterSnapshot.tapAsync("async", (_vm, _signal, done) => done(new Error("third")));
    hooks.afterSnapshot.tap("last", () => void calls.push("thaw"));
  };
  const { warnings } = await backup({ taps: [tap] });
  expect(warnings).toEqual(["first", "second", "third"].map((which) => `after the snapshot: ${which}`));
  expect(calls).toEqual([`${platform.vm().name} with id`, "thaw"]);
});

test("a tap may know better how consistent the instant is, and may refuse it before anything is copied", async () => {
  const raised = await backup({ taps: [(hooks) => hooks.consistency.tap("test", () => "filesystem")] });
  expect(raised.consistency).toBe("filesystem");
  let spans = 0;
  const refusing = (hooks: RunHooks): void => {
    hooks.consistency.tap("test", (consistency, vm) => {
      throw new Error(`${vm.name} is only ${consistency}`);
    });
    hooks.span.tap("test", () => void (spans += 1));
  };
  await expect(backup({ full: true, taps: [refusing] })).rejects.toThrow("is only crash");
  expect(spans).toBe(0);
  expect(await sealedPoints()).toEqual([raised]);
  expect(platform.made.size).toBe(0);
  expect((await ledger.report()).active).toEqual([]);
});

/** A clock of another time. */
function clockOf(time: string): Clock {
  return { ...systemClock, now: () => new Date(time) };
}

test("a run after one whose clock was ahead is the newer one, starts from it, and says that a clock is wrong", async () => {
  const ahead = await backup({ clock: clockOf("2036-01-01T00:00:00Z") });
  platform.disks.set("a", changed);
  const warnings: string[] = [];
  const taps = [(hooks: RunHooks) => hooks.warning.tap("test", (message) => warnings.push(message))];
  const right = await backup({ clock: clockOf("2026-11-30T00:00:00Z"), taps });
  expect(await sealedPoints()).toEqual([ahead, right]);
  expect(right).toMatchObject({ basePoint: ahead.id, takenAt: "2026-11-30T00:00:00.000Z", warnings });
  expect(warnings).toEqual([expect.stringMatching(`^the last point, ${ahead.id}, is dated 2036-.* clocks is wrong`)]);
  expect((await repository.points.newest(never)).get(machineKey(right.vm))).toEqual(right);

  platform.disks.set("a", image);
  const next = await backup({ clock: clockOf("2026-12-01T00:00:00Z") });
  expect(next).toMatchObject({ basePoint: right.id, warnings: [] });
  const { forget } = selectPoints(await sealedPoints(), { keepLast: 1 });
  expect(forget).toEqual([ahead, right]);
});

test("whatever the clocks of nodes say, each run starts from the last one of its machine, and rules keep that", async () => {
  const runs = fc.array(
    fc.record({
      manager: fc.constantFrom("prod", "dr"),
      at: fc.date({ min: new Date("1971-01-01"), max: new Date("2199-12-31"), noInvalidDate: true }),
      full: fc.boolean(),
    }),
    { minLength: 1, maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(runs, async (all) => {
      repository = await smallRepository(new MemoryStore(), 512);
      const last = new Map<string, RecoveryPoint>();
      for (const { manager, at, full } of all) {
        const vm = { ...platform.vm(), manager };
        const point = await backup({ vm, full, clock: clockOf(at.toISOString()) });
        expect(point.basePoint).toBe(full ? null : (last.get(manager)?.id ?? null));
        last.set(manager, point);
      }
      const { points } = await repository.points.list(never);
      const { keep } = selectPoints(points, { keepLast: 1 });
      expect(keep.map(({ point }) => point.id).toSorted()).toEqual([...last.values()].map(({ id }) => id).toSorted());
      expect((await repository.points.newest(never)).size).toBe(last.size);
    }),
    { numRuns: 25 },
  );
});

test("a run that waited chooses its id when it begins, so that its point is the newer one", async () => {
  const options = { resource: machineLease(plainProtection("blake3"), platform.vm()).resource, signal: never } as const;
  const holder = { runId: "other", ...processIdentity() };
  const lease = await acquireLease(store, { ...options, ttlMs: 1000, holder, ifBusy: "refuse" });
  const waiting = backup({ ifBusy: "wait", clock: clockOf("2026-11-30T00:00:00Z") });
  const id = await repository.points.nextId(platform.vm(), new Date("2026-11-30T08:00:00Z"), never);
  const meanwhile = barePoint(platform.vm(), { id, takenAt: new Date("2026-11-30T08:00:00Z") });
  await repository.points.seal(meanwhile, never);
  await lease.release();
  const point = await waiting;
  expect(await sealedPoints()).toEqual([{ ...meanwhile, vm: expect.anything() }, point]);
});

test("two managers that know one machine id do not wait for each other, nor build on each other's points", async () => {
  const dr = { ...platform.vm(), manager: "dr" };
  const resource = machineLease(plainProtection("blake3"), dr).resource;
  const holder = { runId: "other", ...processIdentity() };
  const lease = await acquireLease(store, { resource, ttlMs: 1000, holder, ifBusy: "refuse", signal: never });
  const own = await backup();
  await lease.release();
  const other = await backup({ vm: dr });
  expect([own.basePoint, other.basePoint]).toEqual([null, null]);
  expect((await backup()).basePoint).toBe(own.id);
  expect((await backup({ vm: dr })).basePoint).toBe(other.id);
});

test("points of the same machine under a manager that the configuration does not know cause a warning", async () => {
  const old = await backup({ vm: { ...platform.vm(), manager: "old" } });
  const managers = new ManagerNames([{ name: platform.vm().manager, formerNames: [] }]);
  repository = await Repository.open(store, { managers, signal: never });
  const orphaned = await backup();
  expect(orphaned.basePoint).toBeNull();
  expect(orphaned.warnings).toEqual([expect.stringMatching(/under manager "old".*formerNames: \[old\]/)]);
  const renamed = new ManagerNames([{ name: platform.vm().manager, formerNames: ["old"] }]);
  repository = await Repository.open(store, { managers: renamed, signal: never });
  expect((await sealedPoints()).map(({ id }) => id)).toEqual([old.id, orphaned.id]);
  expect((await backup()).warnings).toEqual([]);
});

test("a second run on the same machine is refused, and a waiting one gets its turn", async () => {
  const options = {
    resource: machineLease(plainProtection("blake3"), platform.vm()).resource,
    ttlMs: 60_000,
    signal: never,
  } as const;
  const holder = { runId: "other", ...processIdentity() };
  const lease = await acquireLease(store, { ...options, holder, ifBusy: "refuse" });
  await expect(backup()).rejects.toMatchObject({ code: "E_LEASE_HELD" });
  const waiting = backup({ ifBusy: "wait" });
  await lease.release();
  expect((await waiting).id).toBe((await sealedPoints())[0]?.id);
});

test("a cancelled run ends in a cancellation, with nothing sealed and nothing left", async () => {
  const controller = new AbortController();
  platform.step = (name) => {
    if (name === "read") controller.abort(new CancelledError("Ctrl-C"));
  };
  await expect(backup({ signal: controller.signal })).rejects.toMatchObject({ code: "E_CANCELLED" });
  expect(await sealedPoints()).toEqual([]);
  expect(platform.made.size).toBe(0);
});

test("a restore that the strategy refuses has reported no phase but the check", async () => {
  const point = await backup();
  const phases: string[] = [];
  platform.step = () => {
    throw new Error("refused");
  };
  const restore = restoreVirtualMachine({
    request: { point, disks: point.disks, name: "copy", networks: new Map(), mac: "new", start: false },
    store: repository,
    strategy,
    manager: "model",
    ledger,
    taps: [(hooks) => hooks.phase.tap("test", ({ phase }) => void phases.push(phase))],
    signal: never,
  });
  await expect(restore).rejects.toThrow("refused");
  expect(phases).toEqual(["check"]);
});

test("a restore gives back every byte, and a failure at any of its steps leaves nothing", async () => {
  const point = await backup();
  const restore = () =>
    restoreVirtualMachine({
      request: { point, disks: point.disks, name: "copy", networks: new Map(), mac: "new", start: false },
      store: repository,
      strategy,
      manager: "model",
      ledger,
      taps: [],
      signal: never,
    });
  const steps: string[] = [];
  platform.step = (name) => steps.push(name);
  await restore();
  expect(platform.restored[0]?.bytes).toEqual(image.bytes);
  for (const at of steps.keys()) {
    let count = 0;
    platform.step = (name) => {
      if (name !== "abort" && count++ === at) throw new Error("planned");
    };
    await expect(restore()).rejects.toThrow("planned");
    expect(platform.made.size).toBe(0);
  }
});
