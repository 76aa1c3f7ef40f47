import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { RecoveryPoint } from "@ovault/contract";
import { copyPoints, lossesOfMarked, planBackup, verifyPoints, verifyRepository, verifySample } from "@ovault/core";
import { applyChanges, keysOf, MemoryStore, type ModelDisk } from "@ovault/testkit";
import { BLOCK_BYTES } from "@ovault/test-support/repository/block-disk";
import { BlockStrategy } from "@ovault/test-support/repository/block-strategy";
import { brokenPoints } from "@ovault/test-support/repository/inspect-blocks";
import { BlockSite } from "@ovault/test-support/repository/block-site";
import { ModelRepository } from "@ovault/test-support/repository/model-repository";
import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, restoredBytes } from "@ovault/test-support/repository/take-point";

import { plain } from "../../src/blocks/codecs/plain.ts";

/** Packs of two blocks each. */
const BLOCKS = [1, 2, 3, 4, 5, 6, 7, 8];

let site: BlockSite;
beforeEach(async () => {
  site = await BlockSite.open();
});
afterEach(() => site.close());

/** Which packs of blocks go, of which store, and whether what lists them goes too. */
const arbitraryLoss = fc.record({
  packs: fc.uniqueArray(fc.nat(3), { minLength: 1, maxLength: 3 }),
  listings: fc.boolean(),
});

function lose({ objects }: MemoryStore, { packs, listings }: { packs: readonly number[]; listings: boolean }): void {
  const data = [...objects].filter(([key, object]) => key.startsWith("packs/") && object[9] === 1).map(([key]) => key);
  for (const pack of packs) objects.delete(data[pack] ?? "");
  if (listings) for (const key of objects.keys()) if (key.startsWith("index/")) objects.delete(key);
}

type Check = (point: RecoveryPoint) => Promise<{ readonly damage: readonly { readonly point: string | null }[] }>;

const checks: Readonly<Record<string, Check>> = {
  "verify --all": async () => await verifyRepository(await site.repository(), { signal: never }),
  "verify --sample": async () => await verifySample(await site.repository(), { share: 0.01, signal: never }),
  "verify POINT": async (point) => await verifyPoints(await site.repository(), [point], { signal: never }),
};

describe("chunks that lie in no pack", () => {
  test("are never built on, checked or not: everything is read, with a warning, and it heals", async () => {
    const looks = fc.constantFrom("none", ...Object.keys(checks));
    await fc.assert(
      fc.asyncProperty(arbitraryLoss, looks, async (loss, look) => {
        const own = await BlockSite.open();
        const base = await own.backUp({ blocks: BLOCKS });
        lose(own.store, loss);
        site = own;
        await checks[look]?.(base);
        const [machine] = [base.vm];
        const options = {
          vm: machine,
          strategy: new BlockStrategy(true),
          excludeDisks: [],
          keepBase: true,
          signal: never,
        };
        const plan = await planBackup({ ...options, store: await own.repository() });
        expect(plan.baseHasLosses).toBe(true);
        const next = await own.backUp({ blocks: [...BLOCKS.slice(0, 7), 9] });
        const reason = `the last point, ${base.id}, has lost data`;
        expect(next).toMatchObject({ basePoint: null, disks: [{ mode: "full", reason }] });
        expect(next.warnings.join()).toContain("everything is read");
        // The last block was in the guest no more.
        const broken = (await brokenPoints(own.store)).map((text) => text.slice(0, base.id.length));
        expect(broken).toEqual(loss.packs.includes(3) ? [base.id] : []);
        expect(await own.backUp({ blocks: BLOCKS })).toMatchObject({ disks: [{ mode: "incremental" }] });
        expect(await brokenPoints(own.store)).toEqual([]);
        await own.close();
      }),
      { numRuns: 25 },
    );
  });

  test.each(Object.entries(checks))(
    "are damage to %s, which marks the point; and so it says again",
    async (_, check) => {
      for (const listings of [false, true]) {
        site = await BlockSite.open();
        const whole = await site.backUp({ vm: "vm-2", blocks: [20, 21] });
        const point = await site.backUp({ blocks: BLOCKS });
        lose(site.store, { packs: [2], listings });
        for (let time = 0; time < 2; time += 1) {
          const { damage } = await check(point);
          expect(damage.some((found) => found.point === point.id)).toBe(true);
          expect(damage.some((found) => found.point === whole.id)).toBe(false);
          expect(await keysOf(site.store, "lost/")).toHaveLength(1);
          const marked = await lossesOfMarked(await site.repository(), [whole, point], never);
          const ranges = [{ offset: 2 * BLOCK_BYTES, length: 2 * BLOCK_BYTES }];
          expect([...marked]).toMatchObject([[point.id, [{ lostBytes: 2 * BLOCK_BYTES, ranges }]]]);
        }
      }
    },
  );

  test("are not there for a copy either: what it takes for its reference, or for a copy that is there, has them", async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryLoss, async (loss) => {
        const own = await BlockSite.open();
        const elsewhere = new MemoryStore();
        await smallRepository(elsewhere, BLOCK_BYTES, plain);
        const there = own.at(elsewhere);
        const first = await own.backUp({ blocks: BLOCKS });
        const copy = async (point: RecoveryPoint, dryRun: boolean) => {
          const [from, to] = [await own.repository(), await there.repository()];
          return (await copyPoints({ from, to, points: [point], dryRun, signal: never }))[0]?.outcome;
        };
        expect(await copy(first, false)).toBe("copied");
        lose(elsewhere, loss);
        const before = new Map(elsewhere.objects);
        expect(await copy(first, true)).toBe("healed");
        expect(elsewhere.objects).toEqual(before);
        const second = await own.backUp({ blocks: [...BLOCKS.slice(0, 7), 9] });
        expect(await copy(second, false)).toBe("copied");
        // By then only the block may be missing that the second point does not have.
        expect(["healed", "present"]).toContain(await copy(first, false));
        expect(await copy(first, false)).toBe("present");
        expect(await brokenPoints(elsewhere)).toEqual([]);
        await own.close();
      }),
      { numRuns: 15 },
    );
  });

  test("are not taken over from a reference where the other side names chunks otherwise", async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryLoss, async (loss) => {
        const [here, there] = [await ModelRepository.create(), await ModelRepository.create({ encrypted: true })];
        const length = 60 * BLOCK_BYTES;
        const bytes = Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8) * 7 + (at % 11)) & 0xff);
        const disk: ModelDisk = { bytes, extents: [{ offset: 0, length, kind: "data" }] };
        const first = await here.take([disk]);
        const changed = applyChanges(disk, { changes: [{ at: 0.5, length: 10, seed: 7 }], grownBy: 0 });
        const second = await here.take([changed], first);
        const copy = async (point: RecoveryPoint): Promise<void> => {
          const [from, to] = [await here.open(), await there.open()];
          await copyPoints({ from, to, points: [point], signal: never });
        };
        await copy(first);
        lose(there.store, loss);
        await copy(second);
        const copied = await (await there.open()).points.find(second.id, never);
        expect(Buffer.compare(await restoredBytes(await there.open(), copied), changed.bytes)).toBe(0);
      }),
      { numRuns: 10 },
    );
  });
});
