import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import type { Extent } from "@ovault/contract";
import { run } from "@ovault/test-support/commands";
import { temporaryDirectory } from "@ovault/test-support/temporary-directory";

import { OverlayDisk, type RangedDisk } from "../src/index.ts";

const PAGE_BYTES = 4096;
const { signal } = new AbortController();

/** A disk whose extents say `zero` for pages of zeros. */
class MemoryDisk implements RangedDisk {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get logicalBytes(): number {
    return this.bytes.length;
  }

  async readInto(offset: number, buffer: Uint8Array): Promise<void> {
    await new Promise(setImmediate);
    buffer.set(this.bytes.subarray(offset, offset + buffer.byteLength));
  }

  async *extentsOf({ offset, length }: { readonly offset: number; readonly length: number }): AsyncGenerator<Extent> {
    for (let at = offset; at < offset + length;) {
      const stop = Math.min(offset + length, (Math.floor(at / PAGE_BYTES) + 1) * PAGE_BYTES);
      const kind = this.bytes.subarray(at, stop).every((byte) => byte === 0) ? "zero" : "data";
      yield { offset: at, length: stop - at, kind };
      at = stop;
    }
  }
}

interface Step {
  readonly kind: "write" | "zero";
  readonly at: number;
  readonly length: number;
  readonly seed: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("write", "write", "zero"),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 5 * PAGE_BYTES })),
  seed: fc.integer({ min: 1, max: 255 }),
});

async function open(base: MemoryDisk): Promise<{ readonly overlay: OverlayDisk; readonly path: string }> {
  const path = join(await temporaryDirectory(), "overlay");
  return { overlay: await OverlayDisk.create(base, path), path };
}

async function allOf(overlay: OverlayDisk): Promise<Buffer> {
  const bytes = Buffer.alloc(overlay.logicalBytes, 0xee);
  await overlay.readInto(0, bytes, signal);
  return bytes;
}

test("whatever is written and zeroed, in whatever pieces and side by side, reads back, and the base never changes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 12 * PAGE_BYTES }),
      fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 6 }),
      async (bytes, rounds) => {
        const base = new MemoryDisk(Buffer.from(randomBytes(bytes)));
        base.bytes.subarray(2 * PAGE_BYTES, 4 * PAGE_BYTES).fill(0);
        const before = Buffer.from(base.bytes);
        const expected = Buffer.from(base.bytes);
        const { overlay } = await open(base);
        for (const steps of rounds) {
          // Side by side: what overlaps comes in the order in which it was asked for.
          const work = steps.map(async ({ kind, at, length, seed }) => {
            const offset = Math.min(bytes - 1, Math.floor(at * bytes));
            const data = Buffer.alloc(Math.min(length, bytes - offset), kind === "write" ? seed : 0);
            expected.set(data, offset);
            await (kind === "write" ? overlay.write(offset, data, signal) : overlay.zero(offset, data.length, signal));
          });
          await Promise.all(work);
          expect((await allOf(overlay)).equals(expected)).toBe(true);
        }
        let next = 0;
        for await (const { offset, length, kind } of overlay.extentsOf({ offset: 0, length: bytes }, signal)) {
          expect(offset).toBe(next);
          next += length;
          expect(kind === "data" || expected.subarray(offset, next).every((byte) => byte === 0)).toBe(true);
        }
        expect(next).toBe(bytes);
        await overlay.close();
        expect(base.bytes.equals(before)).toBe(true);
      },
    ),
    { numRuns: 100 },
  );
});

test("any range reads as it is part of the whole, and its extents are cut to it", async () => {
  const base = new MemoryDisk(Buffer.from(randomBytes(6 * PAGE_BYTES + 100)));
  const { overlay } = await open(base);
  await overlay.write(PAGE_BYTES + 5, Buffer.alloc(PAGE_BYTES, 7), signal);
  await overlay.zero(4 * PAGE_BYTES, PAGE_BYTES, signal);
  const whole = await allOf(overlay);
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: whole.length }), async (offset, wanted) => {
      const length = Math.min(wanted, whole.length - offset);
      const part = Buffer.alloc(length);
      await overlay.readInto(offset, part, signal);
      expect(part.equals(whole.subarray(offset, offset + length))).toBe(true);
      const extents: Extent[] = [];
      for await (const extent of overlay.extentsOf({ offset, length }, signal)) extents.push(extent);
      expect(extents[0]?.offset).toBe(offset);
      expect(extents.reduce((sum, extent) => sum + extent.length, 0)).toBe(length);
    }),
  );
  await overlay.close();
});

test("zeroing takes no room, the file is the user's alone, and an existing one is refused", async () => {
  const base = new MemoryDisk(Buffer.alloc(1024 * PAGE_BYTES, 1));
  const { overlay, path } = await open(base);
  await overlay.zero(0, base.logicalBytes, signal);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(path)).blocks).toBe(0);
  expect((await allOf(overlay)).every((byte) => byte === 0)).toBe(true);
  await expect(OverlayDisk.create(base, path)).rejects.toMatchObject({ code: expect.stringMatching(/^E_IMAGE_FILE/) });
  await overlay.close();
});

test("a page of which a part is written needs the base, and fails alone when that cannot be read", async () => {
  const base = new MemoryDisk(Buffer.alloc(4 * PAGE_BYTES, 1));
  const broken = Object.assign(base, {
    readInto: async (offset: number, buffer: Uint8Array) => {
      if (offset < PAGE_BYTES) throw new Error("damaged");
      buffer.fill(1);
    },
  });
  const { overlay } = await open(broken);
  await expect(overlay.write(10, Buffer.alloc(10, 2), signal)).rejects.toThrow("damaged");
  await overlay.write(PAGE_BYTES + 10, Buffer.alloc(10, 2), signal);
  // A whole page needs nothing of it, and heals what was damaged.
  await overlay.write(0, Buffer.alloc(PAGE_BYTES, 3), signal);
  const bytes = await allOf(overlay);
  expect([bytes[0], bytes[PAGE_BYTES], bytes[PAGE_BYTES + 10]]).toEqual([3, 1, 2]);
  await overlay.close();
});

test("a full file system is ENOSPC for what does not fit, and what was written before stays", async (context) => {
  const directory = await temporaryDirectory();
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", directory]);
  } catch {
    return context.skip("nothing can be mounted here");
  }
  try {
    const base = new MemoryDisk(Buffer.alloc(64 * PAGE_BYTES, 1));
    const overlay = await OverlayDisk.create(base, join(directory, "overlay"));
    await overlay.write(0, Buffer.alloc(PAGE_BYTES, 2), signal);
    await expect(overlay.write(PAGE_BYTES, Buffer.alloc(40 * PAGE_BYTES, 3), signal)).rejects.toMatchObject({
      code: "ENOSPC",
    });
    const bytes = await allOf(overlay);
    expect([bytes[0], bytes[41 * PAGE_BYTES]]).toEqual([2, 1]);
    await overlay.write(2 * PAGE_BYTES, Buffer.alloc(PAGE_BYTES, 4), signal);
    await overlay.zero(0, 64 * PAGE_BYTES, signal);
    expect((await allOf(overlay)).every((byte) => byte === 0)).toBe(true);
    await overlay.close();
  } finally {
    await run("umount", [directory]);
  }
});
