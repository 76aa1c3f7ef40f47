import { PassThrough, Writable } from "node:stream";
import { buffer } from "node:stream/consumers";

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { RawStreamTarget } from "../src/index.ts";

const MiB = 2 ** 20;
const { signal } = new AbortController();

interface Part {
  readonly offset: number;
  readonly length: number;
  /** A run of `fill` 0 is passed on as zeros. */
  readonly fill: number;
}

/** A disk cut into parts at any places, in any order. */
const disk = fc
  .record({
    size: fc.nat(3 * MiB),
    cuts: fc.array(fc.nat(3 * MiB), { maxLength: 9 }),
    fills: fc.array(fc.nat(3), { minLength: 10, maxLength: 10 }),
  })
  .chain(({ size, cuts, fills }) => {
    const edges = [...new Set([0, ...cuts.filter((cut) => cut < size), size])].toSorted((a, b) => a - b);
    const parts = edges.slice(1).map((end, index): Part => {
      const offset = edges[index] ?? 0;
      return { offset, length: end - offset, fill: fills[index] ?? 0 };
    });
    return fc.record({ size: fc.constant(size), parts: fc.shuffledSubarray(parts, { minLength: parts.length }) });
  });

function put(target: RawStreamTarget, { offset, length, fill }: Part): Promise<void> {
  return fill === 0 ? target.zero(offset, length, signal) : target.write(offset, Buffer.alloc(length, fill), signal);
}

function targetOf(stream: Writable, logicalBytes: number): RawStreamTarget {
  return new RawStreamTarget({ stream, name: "stdout", diskId: "disk", logicalBytes });
}

describe("a raw image as a stream", () => {
  test("has every byte in its place, in whatever order parts come", async () => {
    await fc.assert(
      fc.asyncProperty(disk, async ({ size, parts }) => {
        const stream = new PassThrough({ highWaterMark: 1000 });
        const read = buffer(stream);
        const target = targetOf(stream, size);
        await Promise.all(parts.map((part) => put(target, part)));
        await target.flush();
        await target.finish();
        stream.end();
        const model = Buffer.alloc(size);
        for (const { offset, length, fill } of parts) model.fill(fill, offset, offset + length);
        expect((await read).equals(model)).toBe(true);
      }),
      { numRuns: 50, examples: [[{ size: 0, parts: [] }]] },
    );
  });

  test("tells of a reader that went away, to those that wait too, and takes nothing more", async () => {
    const gone = Object.assign(new Error("write EPIPE"), { code: "EPIPE", errno: -32, syscall: "write" });
    let taken = 0;
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        taken += chunk.length;
        done(taken > 2 * MiB ? gone : null);
      },
    });
    const target = targetOf(stream, 8 * MiB);
    const error = { code: "E_IMAGE_FILE", message: "stdout: its reader went away after 2097152 of 8388608 bytes" };
    const writes = [3, 2, 1, 0].map((at) => target.write(at * MiB, Buffer.alloc(MiB, 1), signal));
    const ends = await Promise.allSettled(writes);
    expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled", "fulfilled"]);
    await expect(target.write(4 * MiB, Buffer.alloc(1), signal)).rejects.toMatchObject(error);
    await expect(target.finish()).rejects.toMatchObject(error);
    await target.abort();
  });

  test("is not taken for whole when something is missing, and waits for no more than its caller", async () => {
    const target = targetOf(new PassThrough(), 2 * MiB);
    await target.write(0, Buffer.alloc(10), signal);
    await expect(target.write(MiB, Buffer.alloc(10), AbortSignal.timeout(10))).rejects.toThrow("timeout");
    await expect(target.flush()).rejects.toMatchObject({ code: "E_SOURCE" });
  });
});
