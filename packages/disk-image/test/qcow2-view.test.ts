import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";

import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";

import type { Extent } from "@ovault/contract";
import { formatNbdUri, NbdServer } from "@ovault/nbd";
import { run } from "@ovault/test-support/commands";
import { temporaryDirectory } from "@ovault/test-support/temporary-directory";

import { DurableOverlay, exportOf, PaddedDisk, Qcow2View, type RangedDisk } from "../src/index.ts";

const CLUSTER_BYTES = 65_536;
const { signal } = new AbortController();

/** Blocks of data with this length in bytes, and zeros between them; every block is filled with a byte of its own. */
class SparseDisk implements RangedDisk {
  readonly logicalBytes: number;
  readonly #blockBytes: number;
  readonly #data: ReadonlySet<number>;

  constructor(logicalBytes: number, blockBytes: number, data: Iterable<number>) {
    this.logicalBytes = logicalBytes;
    this.#blockBytes = blockBytes;
    this.#data = new Set(data);
  }

  async readInto(offset: number, buffer: Uint8Array): Promise<void> {
    for (let at = 0; at < buffer.byteLength;) {
      const { block, rest } = this.#at(offset + at);
      buffer.subarray(at, at + rest).fill(this.#data.has(block) ? 1 + (block % 255) : 0);
      at += rest;
    }
    await Promise.resolve();
  }

  async *extentsOf({ offset, length }: { readonly offset: number; readonly length: number }): AsyncGenerator<Extent> {
    for (let at = offset; at < offset + length;) {
      const { block, rest } = this.#at(at);
      const stop = Math.min(offset + length, at + rest);
      yield { offset: at, length: stop - at, kind: this.#data.has(block) ? "data" : "zero" };
      at = stop;
    }
    await Promise.resolve();
  }

  /** Writes the disk as a raw file. */
  async copyTo(path: string): Promise<void> {
    const file: FileHandle = await open(path, "wx");
    await file.truncate(this.logicalBytes);
    for (const block of this.#data) {
      const start = block * this.#blockBytes;
      const bytes = Buffer.alloc(Math.max(0, Math.min(this.#blockBytes, this.logicalBytes - start)));
      await this.readInto(start, bytes);
      await file.write(bytes, 0, bytes.length, start);
    }
    await file.close();
  }

  #at(offset: number): { readonly block: number; readonly rest: number } {
    const block = Math.floor(offset / this.#blockBytes);
    return { block, rest: (block + 1) * this.#blockBytes - offset };
  }
}

/** The URI under which QEMU reads it. */
async function served(disk: RangedDisk): Promise<string> {
  const path = join(await temporaryDirectory(), "nbd.sock");
  const exports = new Map([
    ["", exportOf(disk, { description: "", onError: (error) => process.stderr.write(String(error)) })],
  ]);
  const server = await NbdServer.listen({ path }, { exports });
  onTestFinished(() => server.close());
  return formatNbdUri({ address: { path }, exportName: "", tls: false });
}

async function contentOf(disk: RangedDisk): Promise<Buffer> {
  const bytes = Buffer.alloc(disk.logicalBytes);
  await disk.readInto(0, bytes, signal);
  return bytes;
}

test("QEMU finds nothing wrong with a view of any disk, and reads the disk from it", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 70 * 128 }),
      fc.constantFrom(4096, CLUSTER_BYTES, 256 * 1024),
      fc.array(fc.nat(400), { maxLength: 20 }),
      async (sectors, blockBytes, data) => {
        const disk = new SparseDisk(sectors * 512, blockBytes, data);
        const directory = await temporaryDirectory();
        const file = await open(join(directory, "view.qcow2"), "wx");
        await file.writeFile(await contentOf(new Qcow2View(disk)));
        await file.close();
        await disk.copyTo(join(directory, "disk.raw"));
        const checked = await run("qemu-img", ["check", "-f", "qcow2", join(directory, "view.qcow2")]);
        expect(checked).toContain("No errors were found");
        const files = [join(directory, "disk.raw"), join(directory, "view.qcow2")];
        expect(await run("qemu-img", ["compare", "-f", "raw", "-F", "qcow2", ...files])).toContain("identical");
      },
    ),
    { numRuns: 15 },
  );
});

test("any part of a view reads as the same part of the whole, and what its extents call zeros is", async () => {
  const disk = new SparseDisk(9_000 * CLUSTER_BYTES + 512, CLUSTER_BYTES, [0, 1, 5, 8191, 8192, 8999, 9000]);
  const view = new Qcow2View(disk);
  const dataStart = 4 * CLUSTER_BYTES;
  const tailStart = view.logicalBytes - 3 * CLUSTER_BYTES;
  const parts = [dataStart, tailStart, CLUSTER_BYTES, 3 * CLUSTER_BYTES, dataStart + disk.logicalBytes];
  const near = fc
    .tuple(fc.constantFrom(...parts), fc.integer({ min: -CLUSTER_BYTES, max: CLUSTER_BYTES }))
    .map(([part, by]) => Math.max(0, Math.min(view.logicalBytes - 1, part + by)));
  await fc.assert(
    fc.asyncProperty(near, fc.integer({ min: 1, max: 3 * CLUSTER_BYTES }), async (offset, length) => {
      const size = Math.min(length, view.logicalBytes - offset);
      const from = Math.floor(offset / 1024) * 1024;
      const whole = Buffer.alloc(Math.min(view.logicalBytes, from + size + 2048) - from);
      await view.readInto(from, whole, signal);
      const part = Buffer.alloc(size);
      await view.readInto(offset, part, signal);
      expect(part.equals(whole.subarray(offset - from, offset - from + size))).toBe(true);
      let end = offset;
      for await (const extent of view.extentsOf({ offset, length: size }, signal)) {
        expect(extent.offset).toBe(end);
        end += extent.length;
        const bytes = part.subarray(extent.offset - offset, end - offset);
        expect(extent.kind === "data" || bytes.every((byte) => byte === 0)).toBe(true);
      }
      expect(end).toBe(offset + size);
    }),
  );
});

test(
  "a view of 1 TiB opens at once; QEMU sees its holes, and writes of QEMU over it leave a sound file",
  { timeout: 60_000 },
  async () => {
    const data = Array.from({ length: 50 }, (_, at) => at * 20_000);
    const disk = new SparseDisk(2 ** 40, 1024 ** 2, data);
    const directory = await temporaryDirectory();
    const startedAt = performance.now();
    const view = new Qcow2View(disk);
    const base = new PaddedDisk(view, view.logicalBytes + 2 ** 30);
    const overlay = await DurableOverlay.open({ base, name: "view", directory });
    onTestFinished(() => overlay.close());
    expect(performance.now() - startedAt).toBeLessThan(1000);
    const uri = await served(overlay);
    const map = JSON.parse(await run("qemu-img", ["map", "-f", "qcow2", "--output=json", uri])) as readonly {
      readonly zero: boolean;
      readonly length: number;
    }[];
    const dataBytes = map.filter(({ zero }) => !zero).reduce((sum, { length }) => sum + length, 0);
    expect(dataBytes).toBe(50 * 1024 ** 2);
    const io = [
      "read -P 1 0 1M",
      "write -P 9 3M 1M",
      "write -P 8 100G 64k",
      "discard 0 1M",
      "write -z 20000M 1M",
      "flush",
    ];
    await run("qemu-io", ["-f", "qcow2", ...io.flatMap((command) => ["-c", command]), uri]);
    await run("qemu-io", [
      "-f",
      "qcow2",
      "-c",
      "read -P 9 3M 1M",
      "-c",
      "read -P 8 100G 64k",
      "-c",
      "read -P 0 0 1M",
      "-c",
      `read -P ${1 + (40_000 % 255)} 40000M 1M`,
      uri,
    ]);
    expect(await run("qemu-img", ["check", "-f", "qcow2", uri])).toContain("No errors were found");
  },
);

test("a padded disk is the disk, and zeros behind it", async () => {
  const disk = new SparseDisk(1000, 512, [0, 1]);
  const padded = new PaddedDisk(disk, 3000);
  const [bytes, whole] = [await contentOf(disk), await contentOf(padded)];
  expect(whole.equals(Buffer.concat([bytes, Buffer.alloc(2000)]))).toBe(true);
  const found: Extent[] = [];
  for await (const extent of padded.extentsOf({ offset: 600, length: 2000 }, signal)) found.push(extent);
  expect(found).toEqual([
    { offset: 600, length: 400, kind: "data" },
    { offset: 1000, length: 1600, kind: "zero" },
  ]);
  expect(() => new PaddedDisk(disk, 999)).toThrow(RangeError);
});
