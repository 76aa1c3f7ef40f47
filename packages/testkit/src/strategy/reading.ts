import * as fc from "fast-check";

import { CancelledError, type DiskSource, type Extent } from "@ovault/contract";

import { assertProperty } from "../assert-property.ts";
import { assertRejects, assertSame, assertSameBytes } from "../assertions.ts";
import { arbitraryFills } from "./arbitrary-fills.ts";
import type { StrategyCheck, StrategyUnderTest } from "./strategy-under-test.ts";
import { type TakenBackup, takeBackup, withRun } from "./take-backup.ts";

/** Checks of what a strategy reports and reads. */
export const reading: readonly StrategyCheck[] = [
  {
    name: "it says of every disk what it can do, and why",
    async run({ strategy, vm: find }, signal) {
      const vm = await find();
      const { disks } = await strategy.assess(vm, signal);
      const assessed = disks.map(({ diskId }) => diskId).toSorted();
      assertSame(assessed, vm.disks.map(({ id }) => id).toSorted(), "the disks assessed");
      for (const { diskId, verdict, reason } of disks) {
        const known = ["incremental", "full", "skip", "impossible"].includes(verdict);
        assertSame(known, true, `the verdict on ${diskId} is one of the four (${verdict})`);
        assertSame(reason.length > 0, true, `there is a reason for the verdict on ${diskId}`);
      }
    },
  },
  {
    name: "a full backup is what the guest sees, extents gapless over each disk",
    async run(bench, signal) {
      const { point, images } = await takeBackup(bench, { full: true, signal });
      assertSame(point.disks.length > 0, true, "there are disks in it");
      for (const { disk, mode, reason } of point.disks) {
        assertSame(mode, "full", `mode of ${disk.alias}`);
        assertSame(reason.length > 0, true, `there is a reason for the mode of ${disk.alias}`);
      }
      await assertViews(bench, images);
    },
  },
  {
    name: "an increment after any writes is what the guest sees",
    async run(bench, signal) {
      const vm = await bench.vm();
      let base: TakenBackup | undefined;
      const property = fc.asyncProperty(arbitraryFills(vm), async (fills) => {
        for (const { diskId, ...fill } of fills) await bench.write(diskId, fill);
        base = await takeBackup(bench, { base, signal });
        await assertViews(bench, base.images);
      });
      await assertProperty(property, bench.runs, signal);
    },
  },
  {
    name: "what the guest writes after the instant was taken is not in it",
    async run(bench, signal) {
      const views = new Map<string, Uint8Array>();
      const writeAll = async (offset: number): Promise<void> => {
        for (const { id } of (await bench.vm()).disks) {
          if (!views.has(id)) views.set(id, await bench.view(id));
          await bench.write(id, { offset, length: 300_000, seed: 1 + (Date.now() % 1_000_000) });
        }
      };
      const meanwhile = { whenHeld: () => writeAll(64 * 1024), whenOpen: () => writeAll(512 * 1024) };
      const { images } = await takeBackup(bench, { signal }, meanwhile);
      for (const [diskId, image] of images) {
        assertSameBytes(image, views.get(diskId) ?? new Uint8Array(), `disk ${diskId} as it was at the instant`);
      }
    },
  },
  {
    name: "reads of any place and length fill the buffer exactly",
    async run(bench, signal) {
      await withRun(bench, { full: true, signal }, async ({ instant }) => {
        try {
          for (const source of await instant.open(signal)) {
            await assertReads(bench, source, signal);
            await source.release?.();
          }
        } finally {
          await instant.close("failed");
        }
      });
    },
  },
  {
    name: "an aborted read or list of extents rejects",
    async run(bench, signal) {
      await withRun(bench, { full: true, signal }, async ({ instant }) => {
        try {
          const aborted = AbortSignal.abort(new CancelledError("enough"));
          for (const source of await instant.open(signal)) {
            await assertRejects(() => source.readInto(0, Buffer.alloc(512), aborted), Error, "readInto");
            await assertRejects(() => drain(source.extents(aborted)), Error, "extents");
          }
        } finally {
          await instant.close("failed");
        }
      });
    },
  },
];

async function assertViews(bench: StrategyUnderTest, images: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const [diskId, image] of images) {
    assertSameBytes(image, await bench.view(diskId), `disk ${diskId} as it was backed up`);
  }
}

async function assertReads(bench: StrategyUnderTest, source: DiskSource, signal: AbortSignal): Promise<void> {
  const { disk, maxReads } = source;
  assertSame(Number.isInteger(maxReads) && maxReads > 0, true, `maxReads is a positive integer (${maxReads})`);
  const view = await bench.view(disk.id);
  const filled: Extent[] = [];
  for await (const extent of source.extents(signal)) if (extent.kind === "data") filled.push(extent);
  if (filled.length === 0) return;
  const place = fc.tuple(
    fc.constantFrom(...filled),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.integer({ min: 1, max: 70_000 }),
  );
  const property = fc.asyncProperty(fc.array(place, { minLength: 1, maxLength: maxReads }), async (places) => {
    const reads = places.map(([extent, at, length]) => {
      const start = extent.offset + Math.floor(at * (extent.length - 1));
      const end = Math.min(start + length, extent.offset + extent.length);
      return { start, end, buffer: new Uint8Array(end - start).fill(0xee) };
    });
    await Promise.all(reads.map(({ start, buffer }) => source.readInto(start, buffer, signal)));
    for (const { start, end, buffer } of reads) {
      assertSameBytes(buffer, view.subarray(start, end), `bytes ${start} to ${end} of ${disk.alias}`);
    }
  });
  await assertProperty(property, bench.runs * 5, signal);
}

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}
