import * as fc from "fast-check";
import { expect, test } from "vitest";

import { validateExtents } from "@ovault/core";
import { planBlocks, type PlannedBlocks } from "../../src/pipeline/plan-blocks.ts";
import { applyChanges, arbitraryChanges, arbitraryDisk, type ModelDisk } from "@ovault/testkit";

async function plan(disk: ModelDisk, blockBytes: number, baseBlocks = Number.MAX_SAFE_INTEGER) {
  const planned: PlannedBlocks[] = [];
  const options = { blockBytes, logicalBytes: disk.bytes.byteLength, baseBlocks };
  const extents = (async function* () {
    yield* disk.extents;
  })();
  for await (const item of planBlocks(validateExtents(extents, disk.bytes.byteLength), options)) planned.push(item);
  return planned;
}

/** Kind of every byte, as the plan says. */
function kindsOf(planned: readonly PlannedBlocks[], blockBytes: number, logicalBytes: number): string[] {
  const kinds: string[] = [];
  for (const item of planned) {
    if (item.kind !== "read") {
      const end = Math.min((item.first + item.count) * blockBytes, logicalBytes);
      while (kinds.length < end) kinds.push(item.kind);
      continue;
    }
    expect(item.offset).toBe(kinds.length);
    for (const part of item.parts) {
      expect(part.start).toBe(kinds.length - item.offset);
      while (kinds.length < item.offset + part.end) kinds.push(part.kind);
    }
    expect(kinds.length).toBe(item.offset + item.length);
  }
  return kinds;
}

const blockSizes = fc.constantFrom(64, 512, 1000, 4096);
const changedDisk = fc.tuple(arbitraryDisk(), arbitraryChanges).map(([disk, changes]) => applyChanges(disk, changes));

test("every byte is planned once, in order, as the kind its extent says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(arbitraryDisk(), changedDisk), blockSizes, async (disk, blockBytes) => {
      const kinds = kindsOf(await plan(disk, blockBytes), blockBytes, disk.bytes.byteLength);
      const expected = disk.extents.flatMap(({ length, kind }) => Array.from<string>({ length }).fill(kind));
      expect(kinds).toEqual(expected);
    }),
  );
});

test("a block whose extents are all zero, or all unchanged and in the base, is not read", async () => {
  await fc.assert(
    fc.asyncProperty(changedDisk, blockSizes, async (disk, blockBytes) => {
      for (const item of await plan(disk, blockBytes)) {
        if (item.kind !== "read") continue;
        const kinds = new Set(item.parts.map((part) => part.kind));
        expect(kinds.has("data") || kinds.size > 1).toBe(true);
      }
    }),
  );
});

test("an unchanged block that the base does not have is read", async () => {
  await fc.assert(
    fc.asyncProperty(changedDisk, blockSizes, fc.nat(8), async (disk, blockBytes, baseBlocks) => {
      for (const item of await plan(disk, blockBytes, baseBlocks)) {
        const end = item.kind === "unchanged" ? item.first + item.count : 0;
        expect(end).toBeLessThanOrEqual(baseBlocks);
      }
    }),
  );
});

test("six clean terabytes are one span", async () => {
  const logicalBytes = 6 * 2 ** 40;
  const options = { blockBytes: 2 ** 20, logicalBytes, baseBlocks: 0 };
  const extents = (async function* () {
    yield { offset: 0, length: logicalBytes, kind: "zero" } as const;
  })();
  const planned = [];
  for await (const item of planBlocks(extents, options)) planned.push(item);
  expect(planned).toEqual([{ kind: "zero", first: 0, count: 6 * 2 ** 20 }]);
});

test.each([
  [
    "a gap",
    [
      { offset: 0, length: 10 },
      { offset: 11, length: 89 },
    ],
  ],
  [
    "an overlap",
    [
      { offset: 0, length: 10 },
      { offset: 9, length: 91 },
    ],
  ],
  ["an end before the disk's", [{ offset: 0, length: 99 }]],
  ["an end after the disk's", [{ offset: 0, length: 101 }]],
  [
    "an empty extent",
    [
      { offset: 0, length: 0 },
      { offset: 0, length: 100 },
    ],
  ],
  ["a fraction", [{ offset: 0, length: 99.5 }]],
  ["nothing at all", []],
])("extents with %s end the run", async (_, ranges) => {
  const extents = (async function* () {
    for (const range of ranges) yield { ...range, kind: "data" } as const;
  })();
  await expect(Array.fromAsync(validateExtents(extents, 100))).rejects.toMatchObject({ code: "E_SOURCE" });
});
