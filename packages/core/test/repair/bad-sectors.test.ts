import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";

import { hasCode, type ObjectStore, type RecoveryPoint } from "@ovault/contract";
import {
  copyPoints,
  type Repository,
  repairRepository,
  restoreToTarget,
  verifyPoints,
  verifyRepository,
  verifySample,
} from "@ovault/core";
import { keysOf, MemoryStore, MemoryTarget } from "@ovault/testkit";
import {
  BLOCK_BYTES,
  type ModelRepository,
  threePoints,
  twoPoints,
} from "@ovault/test-support/repository/model-repository";
import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { never } from "@ovault/test-support/repository/take-point";

import { type BadSector, BadSectors } from "../support/bad-sectors.ts";
import { GoneStore } from "../support/gone-store.ts";

const fraction = fc.noBias(fc.nat(999_999)).map((millionths) => millionths / 1e6);
const sectors = fc.array(fc.record({ which: fraction, at: fraction }), { minLength: 1, maxLength: 3 });

/** Bad sectors under packs. */
function placed(
  { store: { objects } }: ModelRepository,
  wanted: readonly { which: number; at: number }[],
): BadSector[] {
  const keys = [...objects.keys()].filter((key) => key.startsWith("packs/")).toSorted();
  return wanted.map(({ which, at }) => {
    const key = keys[Math.floor(which * keys.length)] ?? "";
    return { key, at: Math.floor(at * (objects.get(key)?.byteLength ?? 0)) };
  });
}

async function pointsOf(repository: Repository): Promise<readonly RecoveryPoint[]> {
  return (await repository.points.list(never)).points;
}

describe.each([
  ["in the clear", false],
  ["encrypted", true],
])("a bad sector under a repository %s", (_, encrypted) => {
  let origin: ModelRepository;
  beforeAll(async () => {
    origin = await threePoints({ encrypted });
  });

  test("is damage of what lies on it: checks and a repair name it and go on, and write down what is lost", async () => {
    await fc.assert(
      fc.asyncProperty(sectors, fc.constantFrom("all", "sample", "repair"), async (wanted, how) => {
        const model = origin.clone();
        const bad = placed(model, wanted);
        const disk = new BadSectors(model.store, bad);
        const repository = await model.open(disk);
        const reasons =
          how === "repair"
            ? (await repairRepository(repository, { readData: true, signal: never })).packs
            : how === "all"
              ? (await verifyRepository(repository, { signal: never })).damage.map(({ reason }) => reason)
              : (await verifySample(repository, { share: 1, signal: never })).damage.map(({ reason }) => reason);
        for (const { key } of bad) expect(reasons.some((reason) => reason.includes(key))).toBe(true);
        // Whatever cannot be restored from this disk now is on record, and nothing else is.
        const restorable = await restorableFrom(model, disk);
        const report = await repairRepository(await model.open(disk), { signal: never });
        const lost = report.lost.flatMap(({ point, disks }) => disks.map(({ alias }) => `${point}/${alias}`));
        const all = (await pointsOf(await model.open())).flatMap(({ id, disks }) =>
          disks.map(({ disk: { alias } }, number) => ({
            whole: restorable.has(`${id}/${number}`),
            name: `${id}/${alias}`,
          })),
        );
        expect(lost.toSorted()).toEqual(
          all
            .filter(({ whole }) => !whole)
            .map(({ name }) => name)
            .toSorted(),
        );
      }),
      { numRuns: 15 },
    );
  });

  test("costs a salvage and a copy no more than that", async () => {
    await fc.assert(
      fc.asyncProperty(sectors, async (wanted) => {
        const model = origin.clone();
        const disk = new BadSectors(model.store, placed(model, wanted));
        const restorable = await restorableFrom(model, disk);
        const repository = await model.open(disk);
        const points = await pointsOf(repository);
        for (const point of points) {
          for (const [number, record] of point.disks.entries()) {
            const target = new MemoryTarget(record.disk.id, record.stats.logicalBytes);
            const options = { point, record, target, store: repository, salvage: true, taps: [], signal: never };
            const { lost } = await restoreToTarget(options);
            const expected = Uint8Array.from(model.content.get(point.id)?.[number] ?? []);
            for (const { ranges } of lost)
              for (const { offset, length } of ranges) expected.fill(0, offset, offset + length);
            expect(Buffer.compare(target.bytes, expected)).toBe(0);
            expect(lost.length === 0).toBe(restorable.has(`${point.id}/${number}`));
          }
        }
        const to = await smallRepository(new MemoryStore(), BLOCK_BYTES);
        for (const { point, outcome } of await copyPoints({ from: repository, to, points, signal: never })) {
          const whole = point.disks.every((__, number) => restorable.has(`${point.id}/${number}`));
          expect(outcome).toBe(whole ? "copied" : "failed");
        }
      }),
      { numRuns: 8 },
    );
  });
});

/** Which disks restore from there, as `POINT/NUMBER`. */
async function restorableFrom(model: ModelRepository, store: ObjectStore): Promise<ReadonlySet<string>> {
  const repository = await model.open(store);
  const found = new Set<string>();
  for (const point of await pointsOf(repository)) {
    for (const [number, record] of point.disks.entries()) {
      const target = new MemoryTarget(record.disk.id, record.stats.logicalBytes);
      try {
        await restoreToTarget({ point, record, target, store: repository, taps: [], signal: never });
        found.add(`${point.id}/${number}`);
      } catch (error) {
        if (!hasCode(error, "E_INTEGRITY")) throw error;
      }
    }
  }
  return found;
}

describe("a store that is gone", () => {
  /** Answers all damage that is found. */
  const checks: Readonly<Record<string, (repository: Repository) => Promise<unknown>>> = {
    "verify --all": async (repository) => (await verifyRepository(repository, { signal: never })).damage,
    "verify --sample": async (repository) => (await verifySample(repository, { share: 1, signal: never })).damage,
    "verify POINT": async (repository) =>
      (await verifyPoints(repository, await pointsOf(repository), { signal: never })).damage,
    "repair --read-data": async (repository) => {
      const { packs, lost, manifests } = await repairRepository(repository, { readData: true, signal: never });
      return [...packs, ...lost, ...manifests];
    },
  };

  test.each(Object.entries(checks))(
    "for ever or for a moment, from whatever call of %s on, is damage of nothing",
    async (_, check) => {
      const origin = await twoPoints();
      const counting = new GoneStore(origin.clone().store, { from: Infinity, for: 0 });
      await check(await origin.open(counting));
      let outages = 0;
      for (let from = 2; from <= counting.calls; from += 1) {
        for (const length of [1, 2, 3, Infinity]) {
          const model = origin.clone();
          const store = new GoneStore(model.store, { from, for: length });
          const outcome = await model
            .open(store)
            .then(check)
            .catch((error: unknown) => error);
          const isOutage = hasCode(outcome, "E_STORE_UNAVAILABLE");
          outages += isOutage ? 1 : 0;
          expect(isOutage ? [] : outcome).toEqual([]);
          const records = [...(await keysOf(model.store, "damage/")), ...(await keysOf(model.store, "lost/"))];
          expect({ from, length, records }).toEqual({ from, length, records: [] });
        }
      }
      expect(outages).toBeGreaterThan(counting.calls);
    },
    60_000,
  );
});
