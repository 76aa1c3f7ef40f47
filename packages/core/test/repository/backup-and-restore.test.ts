import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Codec, RecoveryPoint } from "@ovault/contract";
import { applyChanges, arbitraryChanges, arbitraryDisk, MemoryStore, sourceOf } from "@ovault/testkit";
import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { restoredBytes, takePoint } from "@ovault/test-support/repository/take-point";

import { lz4 } from "../../src/blocks/codecs/lz4.ts";
import { zstandard } from "../../src/blocks/codecs/zstandard.ts";

import { plain } from "../../src/blocks/codecs/plain.ts";

const blockSizes = fc.constantFrom(512, 1000, 4096);
const lanes = fc.integer({ min: 1, max: 8 });
const codecs = fc.constantFrom<Codec>(plain, lz4, zstandard(1));

test("what was backed up is what is restored", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryDisk(), blockSizes, lanes, codecs, async (disk, blockBytes, width, codec) => {
      const store = new MemoryStore();
      const repository = await smallRepository(store, blockBytes, codec);
      const point = await takePoint(repository, [sourceOf(disk)], { lanes: width });
      expect(await restoredBytes(await reopen(store), point)).toEqual(disk.bytes);
    }),
    { numRuns: 60 },
  );
});

describe.each([
  ["can read unchanged ranges", true],
  ["cannot read unchanged ranges", false],
])("a source that %s", (_, readsUnchanged) => {
  test("gives the last image after a full and any chain of increments, and every earlier point keeps its own", async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryDisk(6),
        fc.array(arbitraryChanges, { maxLength: 4 }),
        blockSizes,
        async (first, steps, blockBytes) => {
          const store = new MemoryStore();
          const repository = await smallRepository(store, blockBytes);
          let disk = first;
          let base: RecoveryPoint | undefined = await takePoint(repository, [sourceOf(disk)]);
          const taken = [{ point: base, bytes: disk.bytes }];
          for (const step of steps) {
            disk = applyChanges(disk, step);
            base = await takePoint(repository, [sourceOf(disk, { mode: "incremental", readsUnchanged })], { base });
            taken.push({ point: base, bytes: disk.bytes });
          }
          const reader = await reopen(store);
          for (const { point, bytes } of taken) expect(await restoredBytes(reader, point)).toEqual(bytes);
        },
      ),
      { numRuns: 40 },
    );
  });
});

test.each(["incremental", "compared"] as const)("an unchanged disk, taken %s, stores no chunk", async (mode) => {
  await fc.assert(
    fc.asyncProperty(arbitraryDisk(), blockSizes, async (disk, blockBytes) => {
      const store = new MemoryStore();
      const repository = await smallRepository(store, blockBytes);
      const base = await takePoint(repository, [sourceOf(disk)]);
      const packs = [...store.objects.keys()].filter((key) => key.startsWith("packs/"));
      const clean = mode === "compared" ? disk : applyChanges(disk, { changes: [], grownBy: 0 });
      const point = await takePoint(repository, [sourceOf(clean, { mode })], { base });
      expect([...store.objects.keys()].filter((key) => key.startsWith("packs/"))).toEqual(packs);
      expect(point.disks[0]?.blockMap).toBe(base.disks[0]?.blockMap);
      expect(point.disks[0]?.stats.storedBytes).toBe(0);
      expect(mode === "compared" || point.disks[0]?.stats.readBytes === 0).toBe(true);
    }),
    { numRuns: 40 },
  );
});

test("no more blocks are in flight than lanes, over all disks together", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryDisk(4), { minLength: 1, maxLength: 4 }), lanes, async (disks, width) => {
      let inFlight = 0;
      let most = 0;
      const onRead = async () => {
        inFlight += 1;
        most = Math.max(most, inFlight);
        await new Promise((resolve) => setImmediate(resolve));
        inFlight -= 1;
      };
      const sources = disks.map((disk, index) => sourceOf(disk, { onRead, id: `disk-${index}` }));
      const repository = await smallRepository(new MemoryStore(), 512);
      await takePoint(repository, sources, { lanes: width });
      expect(most).toBeLessThanOrEqual(width);
    }),
    { numRuns: 30 },
  );
});

test("one digest is stored once, in whatever order things finish", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), arbitraryDisk(6), async (scheduler, disk) => {
      const store = new MemoryStore();
      const repository = await smallRepository(store, 512);
      const onRead = (): Promise<void> => scheduler.schedule(Promise.resolve());
      const taking = takePoint(repository, [sourceOf(disk, { onRead }), sourceOf(disk, { onRead, id: "disk-2" })]);
      const point = await scheduler.waitFor(taking);
      const distinct = new Set<string>();
      for (let at = 0; at < disk.bytes.byteLength; at += 512) {
        const block = disk.bytes.subarray(at, at + 512);
        if (block.some((byte) => byte !== 0)) distinct.add(Buffer.from(block).toString("base64"));
      }
      const stored = point.disks.reduce((sum, record) => sum + record.stats.newBlocks, 0);
      expect(stored).toBe(distinct.size);
    }),
    { numRuns: 40 },
  );
});
