import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { OvaultError } from "@ovault/contract";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ImageChain, Qcow2Layer } from "../src/index.ts";
import { damaged, damages } from "./support/damaged-image.ts";
import { CountedImage } from "./support/counted-image.ts";
import { makeChain } from "./support/image-recipes.ts";

const run = promisify(execFile);
const { signal } = new AbortController();
const MIB = 1024 * 1024;
/** Of each kind of image; enough to meet every damage often. OVAULT_QCOW2_RUNS: by hand, more of them. */
const RUNS = Number(process.env["OVAULT_QCOW2_RUNS"] ?? 150);

let directory: string;
let images = 0;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-qcow2-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function refused(create: readonly string[], patch?: (image: Buffer) => void): Promise<unknown> {
  const path = join(directory, `${++images}.qcow2`);
  await run("qemu-img", ["create", "-q", "-f", "qcow2", ...create, path, "1M"]);
  const image = await readFile(path);
  patch?.(image);
  return await Qcow2Layer.open(new CountedImage(image), signal).catch((error: unknown) => error);
}

describe("what it cannot read it refuses", () => {
  test("encryption and external data files, naming them", async () => {
    // AES and LUKS by their numbers: qemu-img measures this machine to make such an image, and fails when it is busy.
    for (const method of [1, 2]) {
      expect(await refused([], (image) => image.writeUInt32BE(method, 32))).toMatchObject({
        code: "E_IMAGE_UNSUPPORTED",
        message: expect.stringContaining("encrypted"),
      });
    }
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

  test("tables that overlap, of an image of a few KiB that would go on for ages", async () => {
    const clusterBytes = 2 * MIB;
    const tables = (image: Buffer): void => {
      const entries = image.readUInt32BE(36);
      const l1 = Number(image.readBigUInt64BE(40));
      for (let index = 0; index < entries; index += 1) image.writeBigUInt64BE(BigInt(clusterBytes), l1 + index * 8);
    };
    const path = join(directory, "endless.qcow2");
    await run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", "cluster_size=2M", path, "64T"]);
    const image = await readFile(path);
    tables(image);
    await expect(Qcow2Layer.open(new CountedImage(image), signal)).rejects.toMatchObject({
      code: "E_IMAGE_CORRUPT",
      message: expect.stringContaining("share one L2 table"),
    });
  });

  test("a file of any few bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const source = new CountedImage(Buffer.from(bytes));
        await expect(Qcow2Layer.open(source, signal)).rejects.toBeInstanceOf(OvaultError);
      }),
    );
  });
});

test.each([
  ["version 2", "compat=0.10", 4096],
  ["version 3", "compat=1.1", 65_536],
  ["many small tables", "compat=1.1", 512],
  ["subclusters", "compat=1.1,extended_l2=on", 16_384],
  ["compressed by zstd", "compat=1.1,compression_type=zstd", 32_768],
])(
  "a damaged image (%s) is read to an end or refused, with little memory and no more reads than it is long",
  { timeout: 600_000 },
  async (name, options, clusterBytes) => {
    const { paths } = await makeChain(directory, name.replaceAll(" ", "-"), {
      onRaw: false,
      layers: [
        {
          format: { clusterBytes, options },
          sectors: 6_000,
          writes: [0, 0.1, 0.3, 0.5, 0.8].map((from, index) => ({
            verb: (["write", "write -c", "write -z", "write -c", "write"] as const)[index] ?? "write",
            from,
            length: 300,
            pattern: index + 1,
          })),
          snapshot: true,
          bitmap: false,
          grownSectors: 0,
          garbageBytes: 0,
        },
      ],
    });
    const image = await readFile(paths[0] ?? "");
    await fc.assert(
      fc.asyncProperty(damages(image), async (changes) => {
        const source = new CountedImage(damaged(image, changes));
        await readEverything(source).catch((error: unknown) => {
          if (!(error instanceof OvaultError) || !error.code.startsWith("E_IMAGE_")) throw error;
        });
        expect(source.largestRead).toBeLessThanOrEqual(Math.max(source.fileBytes, 1));
        // Header, L1 table, every L2 table once.
        expect(source.bytesBeforeData).toBeLessThanOrEqual(3 * source.fileBytes);
      }),
      { numRuns: RUNS },
    );
  },
);

/** All extents, then some data of each: sizes that promise petabytes are in a few bytes. */
async function readEverything(source: CountedImage): Promise<void> {
  const chain = new ImageChain([await Qcow2Layer.open(source, signal)]);
  const data: { readonly offset: number; readonly length: number }[] = [];
  for await (const { offset, length, kind } of chain.extents(signal)) {
    if (kind === "data" && data.length < 50) data.push({ offset, length: Math.min(length, MIB) });
  }
  source.dataBegins();
  for (const { offset, length } of data) await chain.readInto(offset, Buffer.alloc(length), signal);
}
