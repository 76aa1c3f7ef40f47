import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { OvaultError, type Extent } from "@ovault/core";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { FileByteSource, ImageChain, Qcow2Layer, type ByteSource } from "../src/index.ts";

const run = promisify(execFile);
const signal = new AbortController().signal;
const KIB = 1024;

let directory: string;
let images = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-qcow2-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** How one layer is made: its format's features, and what is written into it. */
interface LayerRecipe {
  readonly features: string;
  readonly sectors: number;
  readonly writes: readonly {
    readonly verb: "write" | "write -z" | "write -z -u" | "write -c" | "discard";
    readonly from: number;
    readonly length: number;
    readonly pattern: number;
  }[];
}

const features = fc.constantFrom(
  "compat=0.10",
  "compat=0.10,cluster_size=4k",
  "compat=1.1",
  "compat=1.1,cluster_size=512",
  "compat=1.1,cluster_size=2M",
  "compat=1.1,compression_type=zstd",
  "compat=1.1,compression_type=zstd,cluster_size=16k",
  "compat=1.1,extended_l2=on,cluster_size=128k",
  "compat=1.1,extended_l2=on,cluster_size=16k",
  "compat=1.1,lazy_refcounts=on",
  "compat=1.1,refcount_bits=1",
  "compat=1.1,preallocation=metadata",
);
const write = fc.record({
  verb: fc.constantFrom("write", "write -z", "write -z -u", "write -c", "discard"),
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 1, max: 700 }),
  pattern: fc.integer({ min: 1, max: 255 }),
});
const recipe: fc.Arbitrary<LayerRecipe> = fc.record({
  features,
  sectors: fc.integer({ min: 1, max: 12_000 }),
  writes: fc.array(write, { maxLength: 5 }),
});

/** One call of qemu-io for all writes; a compressed write is moved to a whole cluster, as QEMU wants it. */
async function make(
  path: string,
  { features: options, sectors, writes }: LayerRecipe,
  backing?: string,
): Promise<void> {
  const compatible = backing === undefined ? options : options.replace(",preallocation=metadata", "");
  const below = backing === undefined ? [] : ["-b", backing, "-F", backing.endsWith("raw") ? "raw" : "qcow2"];
  await run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", compatible, ...below, path, String(sectors * 512)]);
  const cluster = clusterSectors(compatible);
  const commands = writes.flatMap(({ verb, from, length, pattern }) => {
    const whole = verb === "write -c";
    const start = Math.floor(from * (sectors - 1));
    const at = whole ? Math.floor(start / cluster) * cluster : start;
    const count = Math.min(whole ? cluster : length, sectors - at);
    const data = verb.startsWith("write -z") || verb === "discard" ? "" : `-P ${pattern} `;
    return ["-c", `${verb} ${data}${at * 512} ${count * 512}`];
  });
  // QEMU refuses to compress what is written already, and goes on: its view afterwards is what counts.
  await run("qemu-io", ["-f", "qcow2", "-d", "unmap", ...commands, "-c", "flush", path]).catch(() => undefined);
}

function clusterSectors(options: string): number {
  const size = /cluster_size=(\d+)([kM]?)/.exec(options);
  const unit = size?.[2] === "M" ? 2048 : size?.[2] === "k" ? 2 : 1 / 512;
  return size === null ? 128 : Number(size[1]) * unit;
}

async function viewOf(path: string): Promise<Buffer> {
  await run("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", path, `${path}.view`]);
  const view = await readFile(`${path}.view`);
  await rm(`${path}.view`);
  return view;
}

/** Reads by extents, and every extent in pieces of an odd size. */
async function readAll(chain: ImageChain, base?: Buffer, changedIn?: number): Promise<Buffer> {
  const image = Buffer.alloc(chain.logicalBytes, 0xee);
  let position = 0;
  for await (const { offset, length, kind } of chain.extents(signal, changedIn === undefined ? {} : { changedIn })) {
    expect(offset).toBe(position);
    position += length;
    if (kind === "zero") image.fill(0, offset, offset + length);
    if (kind === "unchanged") base?.copy(image, offset, offset, offset + length);
    const end = kind === "data" ? offset + length : offset;
    for (let at = offset; at < end; at += 300_001) {
      await chain.readInto(at, image.subarray(at, Math.min(end, at + 300_001)), signal);
    }
  }
  expect(position).toBe(chain.logicalBytes);
  return image;
}

async function openLayers(paths: readonly string[]) {
  const sources = await Promise.all(paths.map((path) => FileByteSource.open(path)));
  const layers = await Promise.all(
    sources.map((source, index) =>
      paths[index]?.endsWith("raw") === true ? { raw: source } : Qcow2Layer.open(source, signal),
    ),
  );
  return {
    chain: new ImageChain(layers),
    async [Symbol.asyncDispose]() {
      for (const source of sources) await source[Symbol.asyncDispose]();
    },
  };
}

describe("a chain of QCOW2 images reads as QEMU reads it", () => {
  test("whatever features its layers have, on a raw base or none", { timeout: 300_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(recipe, { minLength: 1, maxLength: 3 }), fc.boolean(), async (recipes, onRaw) => {
        const paths: string[] = [];
        const views: Buffer[] = [];
        if (onRaw) {
          const raw = join(directory, `${++images}.raw`);
          views.unshift(Buffer.alloc(512 * 900, "raw"));
          await writeFile(raw, Buffer.alloc(512 * 900, "raw"));
          paths.unshift(raw);
        }
        for (const layer of recipes) {
          const path = join(directory, `${++images}.qcow2`);
          await make(path, layer, paths[0]);
          paths.unshift(path);
          views.unshift(await viewOf(path));
        }
        await using opened = await openLayers(paths);
        expect((await readAll(opened.chain)).equals(views[0] ?? Buffer.of())).toBe(true);
        // An increment: the newest layer over the view of those below it.
        const below = Buffer.alloc(opened.chain.logicalBytes);
        views[1]?.copy(below);
        expect((await readAll(opened.chain, below, 1)).equals(views[0] ?? Buffer.of())).toBe(true);
        for (const path of paths) await rm(path);
      }),
      { numRuns: 70 },
    );
  });

  test("also one that `qemu-img convert -c` compressed as a whole", async () => {
    for (const compression of ["zlib", "zstd"]) {
      const source = join(directory, "plain.raw");
      const text = Buffer.from(Array.from({ length: 40_000 }, (_, line) => `line ${line * line}\n`).join(""));
      await writeFile(source, text.subarray(0, text.length - (text.length % 512)));
      const path = join(directory, `compressed-${compression}.qcow2`);
      const options = ["-c", "-o", `compression_type=${compression}`];
      await run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", ...options, source, path]);
      await using opened = await openLayers([path]);
      expect((await readAll(opened.chain)).equals(await readFile(source))).toBe(true);
    }
  });
});

async function refused(create: readonly string[], patch?: (image: Buffer) => void): Promise<unknown> {
  const path = join(directory, `${++images}.qcow2`);
  await run("qemu-img", ["create", "-q", "-f", "qcow2", ...create, path, "1M"]);
  const image = await readFile(path);
  patch?.(image);
  return await Qcow2Layer.open(bytesOf(image), signal).catch((error: unknown) => error);
}

describe("what it cannot read it refuses", () => {
  test("encryption and external data files, naming them", async () => {
    const secret = [
      "--object",
      "secret,id=s,data=abc",
      "-o",
      "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10",
    ];
    expect(await refused(secret)).toMatchObject({
      code: "E_IMAGE_UNSUPPORTED",
      message: expect.stringContaining("encrypted"),
    });
    expect(await refused(["-o", `data_file=${join(directory, "data.raw")}`])).toMatchObject({
      code: "E_IMAGE_UNSUPPORTED",
      message: expect.stringContaining("another file"),
    });
  });

  test.each([
    ["version 4", (image: Buffer) => image.writeUInt32BE(4, 4), "E_IMAGE_UNSUPPORTED"],
    ["an unknown feature", (image: Buffer) => image.writeUInt32BE(0x100, 76), "E_IMAGE_UNSUPPORTED"],
    ["clusters of 4 GiB", (image: Buffer) => image.writeUInt32BE(32, 20), "E_IMAGE_CORRUPT"],
    ["an absurd size", (image: Buffer) => image.writeBigUInt64BE(2n ** 63n, 24), "E_IMAGE_CORRUPT"],
    [
      "a size that the L1 table does not reach",
      (image: Buffer) => image.writeBigUInt64BE(2n ** 45n, 24),
      "E_IMAGE_CORRUPT",
    ],
    ["an L1 table of 32 GiB", (image: Buffer) => image.writeUInt32BE(0xffffffff, 36), "E_IMAGE_CORRUPT"],
    ["an L1 table past the end", (image: Buffer) => image.writeBigUInt64BE(2n ** 40n, 40), "E_IMAGE_CORRUPT"],
    ["another magic", (image: Buffer) => image.write("QED", 0), "E_IMAGE_CORRUPT"],
  ])("%s", async (_name, patch, code) => {
    expect(await refused([], patch)).toMatchObject({ code });
  });

  test("a file of any few bytes is refused too", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        await expect(Qcow2Layer.open(bytesOf(Buffer.from(bytes)), signal)).rejects.toBeInstanceOf(OvaultError);
      }),
    );
  });
});

test("a damaged image is read to an end or refused, and never asks for much memory", { timeout: 120_000 }, async () => {
  const path = join(directory, "fuzzed.qcow2");
  const writes = [0, 200, 3000, 9000].map((at, index) => ({
    verb: index % 2 === 0 ? ("write" as const) : ("write -c" as const),
    from: at / 12_000,
    length: 300,
    pattern: index + 1,
  }));
  for (const options of [
    "compat=1.1",
    "compat=1.1,extended_l2=on,cluster_size=16k",
    "compat=1.1,compression_type=zstd",
  ]) {
    await rm(path, { force: true });
    await make(path, { features: options, sectors: 12_000, writes });
    const image = await readFile(path);
    const flip = fc.record({ at: fc.nat(image.length - 1), value: fc.nat(255) });
    const header = fc.record({ at: fc.nat(120), value: fc.nat(255) });
    const flips = fc.array(fc.oneof(flip, header), { minLength: 1, maxLength: 6 });
    const length = fc.option(fc.nat(image.length), { nil: image.length });
    await fc.assert(
      fc.asyncProperty(flips, length, async (changes, cut) => {
        const damaged = Buffer.from(image.subarray(0, cut));
        for (const { at, value } of changes) if (at < damaged.length) damaged[at] = value;
        await readSome(damaged).catch((error: unknown) => {
          if (!(error instanceof OvaultError)) throw error;
        });
      }),
      { numRuns: 150 },
    );
  }
});

/** Everything there is to read, up to a few MiB of data: a flipped size may promise petabytes. */
async function readSome(image: Buffer): Promise<void> {
  const chain = new ImageChain([await Qcow2Layer.open(bytesOf(image), signal)]);
  let left = 8 * KIB * KIB;
  let extents = 0;
  for await (const { offset, length, kind } of limited(chain.extents(signal))) {
    extents += 1;
    if (kind !== "data" || left <= 0) continue;
    const part = Math.min(length, left, KIB * KIB);
    left -= part;
    await chain.readInto(offset, Buffer.alloc(part), signal);
  }
  expect(extents).toBeGreaterThan(0);
}

async function* limited(extents: AsyncIterable<Extent>): AsyncGenerator<Extent> {
  let count = 0;
  for await (const extent of extents) {
    yield extent;
    if ((count += 1) > 100_000) return;
  }
}

/** An image in memory that refuses to be read past its end. */
function bytesOf(image: Buffer): ByteSource {
  return {
    bytes: image.length,
    async readInto(offset, target) {
      if (offset + target.length > image.length) throw new RangeError("read past the end");
      image.copy(target, 0, offset, offset + target.length);
    },
  };
}
