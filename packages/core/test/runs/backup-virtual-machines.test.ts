import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";

import { CancelledError, messageOf, type RunHooks } from "@ovault/contract";
import {
  backupVirtualMachines,
  DEFAULT_RUN_LIMITS,
  FileLedger,
  type Ledger,
  prune,
  type Repository,
  type RunLimits,
} from "@ovault/core";
import type { BackupsOptions, MachineBackup } from "../../src/runs/backup-virtual-machines.ts";
import { plain } from "../../src/blocks/codecs/plain.ts";
import { arbitraryDisk, FaultyStore, MemoryStore, type ModelDisk, ModelPlatform, ModelStrategy } from "@ovault/testkit";

import { hoursLater } from "@ovault/test-support/repository/block-site";
import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, restoredBytes } from "@ovault/test-support/repository/take-point";

let directory: string;
let ledger: Ledger;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-runs-"));
  ledger = await FileLedger.open(directory);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** A machine on a platform of its own. */
class Site {
  readonly platform = new ModelPlatform();
  readonly strategy = new ModelStrategy(this.platform);
  readonly #name: string;
  readonly #host: string;

  constructor(name: string, disk: ModelDisk, host = "h1") {
    this.#name = name;
    this.#host = host;
    this.platform.disks.set("a", disk);
  }

  get backup(): MachineBackup {
    const host = { id: this.#host, name: this.#host };
    const vm = { ...this.platform.vm(), id: `id-${this.#name}`, name: this.#name, host };
    return { vm, strategy: this.strategy, excludeDisks: [], taps: [] };
  }
}

function backups(repository: Repository, sites: readonly Site[], options: Partial<BackupsOptions> = {}) {
  return backupVirtualMachines({
    backups: sites.map((site) => site.backup),
    store: repository,
    ledger,
    full: false,
    ifBusy: "refuse",
    limits: { ...DEFAULT_RUN_LIMITS, perHost: 4 },
    signal: never,
    ...options,
  });
}

function diskOf(seed: number, bytes = 4096): ModelDisk {
  const content = Uint8Array.from({ length: bytes }, (_, at) => ((at >> 5) * 31 + seed) & 0xff);
  return { bytes: content, extents: [{ offset: 0, length: bytes, kind: "data" }] };
}

const limits: fc.Arbitrary<RunLimits> = fc.record({
  total: fc.integer({ min: 1, max: 4 }),
  perManager: fc.integer({ min: 1, max: 4 }),
  perHost: fc.integer({ min: 1, max: 4 }),
  perStorageDomain: fc.integer({ min: 1, max: 4 }),
  finalizing: fc.nat(3),
});

test("machines taken side by side, alike or not, come back as they were; those that fail stop no other", async () => {
  const machine = fc.record({ disk: arbitraryDisk(4), fails: fc.constantFrom("", "", "open", "read") });
  const machines = fc.array(machine, { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(machines, fc.integer({ min: 1, max: 2 }), limits, async (wanted, copies, some) => {
      const store = new MemoryStore();
      const repository = await smallRepository(store, 512);
      const all = Array.from({ length: copies }, () => wanted).flat();
      const sites = all.map(({ disk, fails }, index) => {
        const site = new Site(`vm${index}`, disk, `h${index % 2}`);
        site.platform.step = (name) => {
          if (name === fails) throw new Error(`planned at ${name}`);
        };
        return site;
      });
      const outcomes = await backups(repository, sites, { limits: some });
      const later = await reopen(store);
      const told = await Promise.all(
        outcomes.map(async ({ vm, point, error }) =>
          point === undefined ? [vm.name, messageOf(error)] : [vm.name, await restoredBytes(later, point)],
        ),
      );
      const expected = all.map(({ disk, fails }, index) => {
        const read = outcomes[index]?.point === undefined && fails !== "";
        return [`vm${index}`, read ? `planned at ${fails}` : disk.bytes];
      });
      expect(told).toEqual(expected);
      // A disk without data is never read.
      expect(outcomes.filter(({ point }, index) => point !== undefined && all[index]?.fails === "open")).toEqual([]);
      expect(sites.filter(({ platform }) => platform.made.size > 0)).toEqual([]);
      expect((await ledger.report()).active).toEqual([]);
    }),
    { numRuns: 20 },
  );
});

test("what several machines have in common is stored once, though they are copied at the same time", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(1), { minLength: 2, maxLength: 4 }), async (seeds) => {
      const repository = await smallRepository(new MemoryStore(), 512, plain);
      const disks = seeds.map((seed) => diskOf(seed, 9000));
      const outcomes = await backups(
        repository,
        disks.map((disk, index) => new Site(`vm${index}`, disk)),
      );
      const stored = outcomes.flatMap(({ point }) => point?.disks[0]?.stats.newBlocks ?? []);
      expect(stored).toHaveLength(seeds.length);
      const different = new Set(disks.flatMap(({ bytes }) => blocksOf(bytes)));
      expect(stored.reduce((sum, count) => sum + count, 0)).toBe(different.size);
    }),
    { numRuns: 20 },
  );
});

function blocksOf(bytes: Uint8Array): readonly string[] {
  const starts = Array.from({ length: Math.ceil(bytes.length / 512) }, (_, index) => index * 512);
  return starts.map((start) => Buffer.from(bytes.subarray(start, start + 512)).toString("hex"));
}

function veto(hooks: RunHooks): void {
  hooks.beforeSeal.tap("test", () => {
    throw new Error("vetoed");
  });
}

test("a store that fails at any call, and prunes afterwards, take nothing from a point that was sealed", async () => {
  const fault = fc.record({
    call: fc.integer({ min: 1, max: 120 }),
    when: fc.constantFrom("before", "after"),
    forGood: fc.boolean(),
  });
  const seeds = fc.array(fc.nat(2), { minLength: 2, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(seeds, fault, fc.nat(3), async (all, planned, vetoed) => {
      const store = new MemoryStore();
      await smallRepository(store, 512, plain);
      const sites = all.map((seed, index) => new Site(`vm${index}`, diskOf(seed, 9000 + seed * 500)));
      const list = sites.map(({ backup }, index) => ({ ...backup, taps: index === vetoed ? [veto] : [] }));
      const repository = await reopen(new FaultyStore(store, planned), plain).catch(() => undefined);
      const outcomes = repository === undefined ? [] : await backups(repository, [], { backups: list });
      const sealed = outcomes.flatMap(({ point }) => point ?? []);
      for (const hours of [4, 8]) {
        const options = { graceMs: 0, clock: hoursLater(hours), ifBusy: "wait", signal: never } as const;
        await prune(await reopen(store), options);
      }
      const later = await reopen(store);
      const bytes = await Promise.all(sealed.map((point) => restoredBytes(later, point)));
      expect(bytes).toEqual(
        sealed.map(({ vm }) => sites.find((site) => site.backup.vm.id === vm.id)?.platform.disks.get("a")?.bytes),
      );
    }),
    { numRuns: 20 },
  );
});

test("the copies of one host are bounded, whatever else may run", async () => {
  const sites = Array.from({ length: 6 }, (_, index) => new Site(`vm${index}`, diskOf(index), `h${index % 3}`));
  const copying = new Map<string, number>();
  let most = 0;
  const list = sites.map(({ backup }) => {
    const host = backup.vm.host?.id ?? "";
    const add = (count: number): void => {
      copying.set(host, (copying.get(host) ?? 0) + count);
      most = Math.max(most, copying.get(host) ?? 0);
    };
    let open = false;
    const close = (): void => {
      if (open) add(-1);
      open = false;
    };
    return {
      ...backup,
      taps: [
        (hooks: RunHooks) => {
          hooks.selectDisks.tap("test", (disks) => {
            open = true;
            add(1);
            return disks;
          });
          hooks.copied.tap("test", close);
          hooks.finished.tap("test", close);
        },
      ],
    };
  });
  const repository = await smallRepository(new MemoryStore(), 512);
  const outcomes = await backups(repository, [], { backups: list, limits: { ...DEFAULT_RUN_LIMITS, perHost: 1 } });
  expect(outcomes.every(({ point }) => point !== undefined)).toBe(true);
  expect(most).toBe(1);
});

test("the next is copied while the one before ends its backup on the manager", async () => {
  const sites = [new Site("first", diskOf(1)), new Site("second", diskOf(2))];
  const events: string[] = [];
  const secondOpened = Promise.withResolvers<void>();
  const list = sites.map(({ backup }) => ({
    ...backup,
    taps: [
      ({ beforeSnapshot, beforeSeal }: RunHooks) => {
        beforeSnapshot.tap("test", ({ name }) => {
          events.push(`copy ${name}`);
          if (name === "second") secondOpened.resolve();
        });
        beforeSeal.tapPromise("test", async ({ vm }) => {
          // It would wait for ever if its permits were still taken.
          await secondOpened.promise;
          events.push(`seal ${vm.name}`);
        });
      },
    ],
  }));
  const repository = await smallRepository(new MemoryStore(), 512);
  await backups(repository, [], { backups: list, limits: { ...DEFAULT_RUN_LIMITS, total: 1 } });
  expect(events.slice(0, 3)).toEqual(["copy first", "copy second", "seal first"]);
});

test("a cancel ends those under way as cancelled and starts no other", async () => {
  const abort = new AbortController();
  const sites = Array.from({ length: 4 }, (_, index) => new Site(`vm${index}`, diskOf(index)));
  const started: number[] = [];
  for (const [index, { platform }] of sites.entries()) {
    platform.step = (name) => {
      if (name === "open") started.push(index);
      if (name === "read") abort.abort(new CancelledError("interrupted"));
    };
  }
  const repository = await smallRepository(new MemoryStore(), 512);
  const limited = { ...DEFAULT_RUN_LIMITS, total: 2 };
  const outcomes = await backups(repository, sites, { signal: abort.signal, limits: limited });
  expect(started.length).toBeGreaterThan(0);
  expect(started.every((index) => index < limited.total)).toBe(true);
  for (const { error } of outcomes) expect(error).toMatchObject({ code: "E_CANCELLED" });
  expect(sites.every(({ platform }) => platform.made.size === 0)).toBe(true);
  expect((await repository.points.list(never)).points).toEqual([]);
});
