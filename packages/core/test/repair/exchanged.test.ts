import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";

import { hasCode } from "@ovault/contract";
import { prune, verifyRepository, verifySample } from "@ovault/core";
import type { MemoryStore, ModelDisk } from "@ovault/testkit";

import { BLOCK_BYTES, ModelRepository, openUnlessDamaged } from "@ovault/test-support/repository/model-repository";
import { never } from "@ovault/test-support/repository/take-point";
import { hoursLater } from "@ovault/test-support/repository/block-site";
import { repair } from "@ovault/test-support/repository/repair";

/** Blocks that no codec shrinks, so that packs of them are of one size; so many are in all of these disks. */
function diskWith(seed: number, shared = 4): ModelDisk {
  const bytes = new Uint8Array(20 * BLOCK_BYTES);
  for (let at = 0; at < bytes.byteLength; at += 1) {
    const own = at < shared * BLOCK_BYTES ? 0 : seed;
    bytes[at] = (Math.imul(at + own * 7919, 2654435761) ^ Math.imul(at, at)) >>> 15;
  }
  return { bytes, extents: [{ offset: 0, length: bytes.byteLength, kind: "data" }] };
}

async function threeMachines(encrypted: boolean): Promise<ModelRepository> {
  const model = await ModelRepository.create({ encrypted });
  for (const seed of [1, 2, 3]) await model.take([diskWith(seed)]);
  await model.addRecords();
  return model;
}

const fraction = fc.noBias(fc.nat(999_999)).map((millionths) => millionths / 1e6);
/** Two objects of one kind, the kind as often as not packs. */
const exchange = fc.record({ isPack: fc.boolean(), one: fraction, other: fraction });

interface Pair {
  readonly one: string;
  readonly other: string;
}

function pick({ objects }: MemoryStore, { isPack, one, other }: { isPack: boolean; one: number; other: number }): Pair {
  const keys = [...objects.keys()].filter((key) => key.includes("/") && key.startsWith("packs/") === isPack).toSorted();
  const first = keys[Math.floor(one * keys.length)] ?? "";
  const kind = first.slice(0, first.indexOf("/") + 1);
  const others = keys.filter((key) => key.startsWith(kind) && key !== first);
  return { one: first, other: others[Math.floor(other * others.length)] ?? first };
}

function swap({ objects }: MemoryStore, { one, other }: Pair): void {
  const [a, b] = [objects.get(one), objects.get(other)];
  if (b !== undefined) objects.set(one, b);
  else objects.delete(one);
  if (a !== undefined) objects.set(other, a);
  else objects.delete(other);
}

function isAtLeast(found: ReadonlySet<string>, expected: Iterable<string>): boolean {
  return [...expected].every((disk) => found.has(disk));
}

/** Whatever can be restored then, nothing, when the repository does not even open. */
async function afterRepair(model: ModelRepository): Promise<ReadonlySet<string>> {
  if ((await openUnlessDamaged(() => model.open())) !== undefined) await repair(model, { readData: true });
  return await model.restorable();
}

/** Two prunes, of which each condemns and deletes; one that refuses deletes nothing. */
async function pruneTwice(model: ModelRepository): Promise<void> {
  for (const hours of [2, 4]) {
    const repository = await openUnlessDamaged(() => model.open());
    if (repository === undefined) return;
    const options = { graceMs: 0, repack: { minDeadShare: 0.01, budgetBytes: 1e9 }, clock: hoursLater(hours) };
    await prune(repository, { ...options, signal: never }).catch((error: unknown) => {
      if (!hasCode(error, "E_INTEGRITY")) throw error;
    });
  }
}

/** Forgets one of the points that can be seen. Answers its id. */
async function forgetOne(model: ModelRepository, which: number): Promise<string | undefined> {
  const repository = await openUnlessDamaged(() => model.open());
  const points = (await repository?.points.list(never))?.points ?? [];
  const point = points[Math.floor(which * points.length)];
  if (point !== undefined) await repository?.points.forget(point, never);
  return point?.id;
}

describe.each([
  ["in the clear", false],
  ["encrypted", true],
])("two objects of one kind that were exchanged in a repository %s", (_, encrypted) => {
  let origin: ModelRepository;
  let all: ReadonlySet<string>;
  beforeAll(async () => {
    origin = await threeMachines(encrypted);
    all = await origin.restorable();
  });

  test("never give wrong bytes, and are found by checks where they make any difference", async () => {
    await fc.assert(
      fc.asyncProperty(exchange, fc.boolean(), async (wanted, whole) => {
        const model = origin.clone();
        swap(model.store, pick(model.store, wanted));
        const restorable = await model.restorable();
        const repository = await openUnlessDamaged(() => model.open());
        if (repository === undefined) return;
        const { damage } = whole
          ? await verifyRepository(repository, { signal: never })
          : await verifySample(repository, { share: 1, signal: never });
        expect(damage.length > 0 || isAtLeast(restorable, all)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("cost nothing for good: no prune destroys what a repair could bring back, or exchanging them again", async () => {
    await fc.assert(
      fc.asyncProperty(exchange, fraction, fc.boolean(), async (wanted, which, loseIndex) => {
        const model = origin.clone();
        const pair = pick(model.store, wanted);
        swap(model.store, pair);
        if (loseIndex)
          for (const key of model.store.objects.keys()) if (key.startsWith("index/")) model.store.objects.delete(key);
        const repairable = await afterRepair(model.clone());
        const forgotten = await forgetOne(model, which);
        await pruneTwice(model);
        const isKept = (disk: string): boolean => !disk.startsWith(`${forgotten}/`);
        expect(isAtLeast(await afterRepair(model.clone()), [...repairable].filter(isKept))).toBe(true);
        // A pack that is there under the name of the other one is put back under its own.
        const back = model.clone();
        if (wanted.isPack) swap(back.store, pair);
        const expected = wanted.isPack ? all : repairable;
        expect(isAtLeast(await afterRepair(back), [...expected].filter(isKept))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});

describe("packs that were exchanged in a repository in the clear", () => {
  test("are put right by a repair that reads them, and then freed", async () => {
    const origin = await threeMachines(false);
    const all = await origin.restorable();
    const blocks = [...origin.store.objects].filter(([key, object]) => key.startsWith("packs/") && object[9] === 1);
    const twoPacks = fc.shuffledSubarray(
      blocks.map(([key]) => key),
      { minLength: 2, maxLength: 2 },
    );
    await fc.assert(
      fc.asyncProperty(twoPacks, async ([one = "", other = ""]) => {
        const model = origin.clone();
        swap(model.store, { one, other });
        const told = await repair(model.clone(), { readData: true, dryRun: true });
        const report = await repair(model, { readData: true });
        expect(report).toMatchObject({ lost: [], rescued: told.rescued });
        expect(told.lost).toEqual([]);
        expect(report.rescued).toBeGreaterThan(0);
        expect(await model.restorable()).toEqual(all);
        await pruneTwice(model);
        expect(await model.restorable()).toEqual(all);
        expect(model.store.objects.has(one) || model.store.objects.has(other)).toBe(false);
        expect((await verifyRepository(await model.open(), { signal: never })).damage).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  test("are named by a prune that leaves them alone", async () => {
    const model = await ModelRepository.create();
    for (const seed of [1, 2]) await model.take([diskWith(seed, 0)]);
    const { points } = await (await model.open()).points.list(never);
    const dataPacksOf = async (position: number): Promise<string> => {
      const repository = await model.open();
      const point = points[position];
      const record = point?.disks[0];
      if (point === undefined || record === undefined) throw new Error("no point");
      const id = await (await repository.openMap(point, record, never)).chunkOf(19, never);
      const name = id === null ? "" : (repository.index.find(id)[0]?.pack.name ?? "");
      return `packs/${name.slice(0, 2)}/${name}`;
    };
    const pair = { one: await dataPacksOf(0), other: await dataPacksOf(1) };
    swap(model.store, pair);
    const [first] = points;
    if (first === undefined) throw new Error("no point");
    await (await model.open()).points.forget(first, never);
    const options = { graceMs: 0, clock: hoursLater(2), signal: never };
    const report = await prune(await model.open(), options);
    expect(report.misplacedPacks).toEqual([pair.one]);
    expect(model.store.objects.has(pair.one)).toBe(true);
  });
});
