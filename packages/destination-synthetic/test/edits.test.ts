import { execFile } from "node:child_process";
import { mkdtemp, open, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";

import type { ImageDraft } from "@ovault/contract";
import type { SyntheticStore } from "@ovault/destination-synthetic";
import { BlockSums, SUM_BLOCK_BYTES } from "@ovault/destination-synthetic/internal/block-sums";
import { RawDraft } from "@ovault/destination-synthetic/internal/raw-draft";
import { RawImage } from "@ovault/destination-synthetic/internal/raw-image";

import { syntheticSites } from "./support/synthetic-site.ts";

const run = promisify(execFile);
const signal = new AbortController().signal;
const LARGEST = 4 * SUM_BLOCK_BYTES + 1000;

/** Offsets beside the borders of blocks, and any other. */
const place = fc.oneof(
  fc.tuple(fc.nat(4), fc.integer({ min: -2, max: 2 })).map(([block, beside]) => block * SUM_BLOCK_BYTES + beside),
  fc.nat(LARGEST),
);
/** Zeros have the value 0, written or not. */
const edit = fc.record({ from: place, to: place, value: fc.nat(2), asZeros: fc.boolean() });
interface Making {
  readonly logicalBytes: number;
  readonly edits: readonly {
    readonly from: number;
    readonly to: number;
    readonly value: number;
    readonly asZeros: boolean;
  }[];
}

const making: fc.Arbitrary<Making> = fc.record({
  logicalBytes: place.map((bytes) => Math.max(1, bytes)),
  edits: fc.array(edit, { maxLength: 5 }),
});

/** Applies the edits to a draft and to the bytes that it should have then. */
async function apply({ edits }: Making, draft: ImageDraft, expected: Buffer): Promise<void> {
  for (const { from, to, value, asZeros } of edits) {
    const [start, end] = [from, to].map((at) => Math.min(Math.max(0, at), expected.length)).toSorted((a, b) => a - b);
    const range = expected.subarray(start, end).fill(value === 0 ? 0 : `${value} at ${start} `);
    if (value === 0 && asZeros) await draft.zero(start ?? 0, range.length, signal);
    else await draft.write(start ?? 0, Buffer.from(range), signal);
  }
}

async function contentOf(image: Pick<RawImage, "logicalBytes" | "extents" | "readInto">): Promise<Buffer> {
  const bytes = Buffer.alloc(image.logicalBytes, 0xee);
  for await (const { offset, length, kind } of image.extents(signal)) {
    const range = bytes.subarray(offset, offset + length);
    if (kind === "zero") range.fill(0);
    else await image.readInto(offset, range, signal);
  }
  return bytes;
}

async function stored(store: SyntheticStore, key: string): Promise<Buffer> {
  const image = await store.open(key, { signal });
  try {
    return await contentOf(image as RawImage);
  } finally {
    await image.close();
  }
}

const sites = syntheticSites();

test("images of several blocks, and clones of them cut and extended, hold what was written", async () => {
  const { store, dispose } = await sites.open();
  onTestFinished(dispose);
  const make = async (key: string, wish: Making, base: Buffer, from?: string): Promise<Buffer> => {
    const { logicalBytes } = wish;
    const expected = Buffer.alloc(logicalBytes);
    base.copy(expected);
    const draft = await store.create(key, { logicalBytes, signal, ...(from && { from }) });
    try {
      await apply(wish, draft, expected);
      await draft.commit(signal);
    } finally {
      await draft.abort();
    }
    expect((await stored(store, key)).equals(expected)).toBe(true);
    return expected;
  };
  await fc.assert(
    fc.asyncProperty(making, making, async (first, second) => {
      const base = await make("vm/1/disk", first, Buffer.alloc(0));
      await make("vm/2/disk", second, base, "vm/1/disk");
      expect((await stored(store, "vm/1/disk")).equals(base), "the older image").toBe(true);
      for (const key of ["vm/1/disk", "vm/2/disk"]) await store.delete(key, { signal });
    }),
    { numRuns: 60 },
  );
});

test("where a file system cannot give room back, zeros are written", async (context) => {
  const directory = await mkdtemp(join(tmpdir(), "ovault-ramfs-"));
  try {
    await run("mount", ["-t", "ramfs", "ovault-test", directory]);
  } catch (error) {
    await rmdir(directory);
    return context.skip(`nothing can be mounted here: ${String(error)}`);
  }
  onTestFinished(async () => {
    await run("umount", [directory]);
    await rmdir(directory);
  });
  const path = join(directory, "disk.raw");
  await fc.assert(
    fc.asyncProperty(making, async (wish) => {
      const { logicalBytes } = wish;
      const handle = await open(path, "w+");
      await handle.truncate(logicalBytes);
      const sums = BlockSums.ofZeros(logicalBytes);
      const options = { key: "disk", root: directory, discard: () => Promise.resolve() };
      const draft = new RawDraft({ ...options, handle, sums, publish: () => Promise.resolve() });
      const expected = Buffer.alloc(logicalBytes);
      await apply(wish, draft, expected);
      await draft.commit(signal);
      const image = new RawImage({ ...options, handle: await open(path), sums });
      expect((await contentOf(image)).equals(expected)).toBe(true);
      await image.close();
    }),
    { numRuns: 30 },
  );
});
