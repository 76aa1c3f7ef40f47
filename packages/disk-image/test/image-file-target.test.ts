import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { CancelledError } from "@ovault/contract";
import { run } from "@ovault/test-support/commands";
import { scopedDirectory } from "@ovault/test-support/scoped-directory";

import { draftsOf, Qcow2FileTarget, RawFileTarget, type ImageFileOptions, type ImageFileTarget } from "../src/index.ts";

const MiB = 2 ** 20;
const { signal } = new AbortController();

type Create = (options: ImageFileOptions) => Promise<ImageFileTarget>;
/** What QEMU's comparison does not see: the size to the byte, the reference counts. */
type Inspect = (path: string, logicalBytes: number) => Promise<void>;
const formats: readonly (readonly [string, Create, Inspect])[] = [
  [
    "raw",
    (options) => RawFileTarget.create(options),
    async (path, logicalBytes) => expect((await stat(path)).size).toBe(logicalBytes),
  ],
  [
    "qcow2",
    (options) => Qcow2FileTarget.create(options),
    async (path) => expect(await run("qemu-img", ["check", "-f", "qcow2", path])).toContain("No errors were found"),
  ],
];

/** A part of a disk that no other part touches. */
interface Part {
  readonly offset: number;
  readonly length: number;
  /** 0 may be told as `zero` or written as data. */
  readonly fill: number;
  readonly asZero: boolean;
}

/** A disk cut into parts at any places, in any order. */
const disk = fc.integer({ min: 0, max: 700_000 }).chain((size) =>
  fc
    .tuple(
      fc.uniqueArray(fc.nat(size), { maxLength: 12 }),
      fc.array(fc.record({ fill: fc.constantFrom(0, 0, 1, 2, 255), asZero: fc.boolean() }), {
        minLength: 13,
        maxLength: 13,
      }),
    )
    .chain(([cuts, kinds]) => {
      const edges = [...new Set([0, ...cuts, size])].toSorted((a, b) => a - b);
      const parts = edges.slice(1).map((end, index): Part => {
        const offset = edges[index] ?? 0;
        return { offset, length: end - offset, ...(kinds[index] ?? { fill: 0, asZero: true }) };
      });
      return fc.record({ size: fc.constant(size), parts: fc.shuffledSubarray(parts, { minLength: parts.length }) });
    }),
);

function restore(target: ImageFileTarget, { offset, length, fill, asZero }: Part): Promise<void> {
  return fill === 0 && asZero
    ? target.zero(offset, length, signal)
    : target.write(offset, Buffer.alloc(length, fill), signal);
}

describe.each(formats)("a %s file", (format, create, inspect) => {
  test("holds what was written in any order, any alignment and all at once, to QEMU's eyes", async () => {
    await using directory = await scopedDirectory();
    const [path, expected] = [join(directory.path, "image"), join(directory.path, "expected.raw")];
    await fc.assert(
      fc.asyncProperty(disk, async ({ size, parts }) => {
        await rm(path, { force: true });
        const target = await create({ path, diskId: "disk", logicalBytes: size });
        await Promise.all(parts.map((part) => restore(target, part)));
        await target.flush(signal);
        await target.finish();

        const model = Buffer.alloc(size);
        for (const { offset, length, fill } of parts) model.fill(fill, offset, offset + length);
        await writeFile(expected, model);
        expect(await run("qemu-img", ["compare", "-f", format, "-F", "raw", path, expected]).catch(String)).toContain(
          "identical",
        );
        await inspect(path, size);
      }),
      { numRuns: 25, examples: [[{ size: 0, parts: [] }]] },
    );
  });

  test("is private, and alone in its directory once finished", async () => {
    await using directory = await scopedDirectory();
    const path = join(directory.path, "image");
    const target = await create({ path, diskId: "disk", logicalBytes: MiB });
    await target.write(0, Buffer.alloc(MiB, 1), signal);
    expect(await readdir(directory.path)).toEqual([expect.stringMatching(/^image\..*\.partial$/)]);
    await target.finish();
    expect(await readdir(directory.path)).toEqual(["image"]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("that was aborted leaves nothing behind", async () => {
    await using directory = await scopedDirectory();
    const target = await create({ path: join(directory.path, "image"), diskId: "disk", logicalBytes: MiB });
    await target.write(0, Buffer.alloc(MiB, 1), signal);
    await target.abort();
    expect(await readdir(directory.path)).toEqual([]);
  });

  test("never takes the place of another file, not even of one that came later", async () => {
    await using directory = await scopedDirectory();
    const path = join(directory.path, "image");
    const target = await create({ path, diskId: "disk", logicalBytes: MiB });
    await writeFile(path, "precious");
    await expect(target.finish()).rejects.toMatchObject({ code: "E_IMAGE_FILE_EXISTS" });
    await target.abort();
    await expect(create({ path, diskId: "disk", logicalBytes: MiB })).rejects.toMatchObject({
      code: "E_IMAGE_FILE_EXISTS",
    });
    expect(await readdir(directory.path)).toEqual(["image"]);
    expect(await readFile(path, "utf8")).toBe("precious");
  });

  test("takes space only for what is not zero", async () => {
    await using directory = await scopedDirectory();
    const path = join(directory.path, "image");
    const target = await create({ path, diskId: "disk", logicalBytes: 6 * 2 ** 40 });
    await target.write(3 * 2 ** 40, Buffer.alloc(MiB, 1), signal);
    await target.zero(0, 3 * 2 ** 40, signal);
    await target.finish();
    const { blocks } = await stat(path);
    expect(blocks * 512).toBeLessThan(2 * MiB);
    expect(JSON.parse(await run("qemu-img", ["info", "--output=json", path]))).toMatchObject({
      "virtual-size": 6 * 2 ** 40,
      format,
    });
    await inspect(path, 6 * 2 ** 40);
  });

  test("says which directory is missing, and obeys an aborted signal", async () => {
    await using directory = await scopedDirectory();
    const nowhere = join(directory.path, "no", "image");
    await expect(create({ path: nowhere, diskId: "disk", logicalBytes: 1 })).rejects.toMatchObject({
      code: "E_IMAGE_FILE",
      message: expect.stringContaining("does not exist"),
      hint: expect.stringContaining("Make the directory"),
    });
    const target = await create({ path: join(directory.path, "image"), diskId: "disk", logicalBytes: MiB });
    const late = target.write(0, Buffer.alloc(512, 1), AbortSignal.abort(new CancelledError("enough")));
    await expect(late).rejects.toMatchObject({ code: "E_CANCELLED" });
    await target.abort();
  });
});

test("a qcow2 file stores no cluster of zeros that comes as data, and takes zeros over data", async () => {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "image.qcow2");
  const target = await Qcow2FileTarget.create({ path, diskId: "disk", logicalBytes: 8 * MiB });
  await target.write(0, Buffer.alloc(4 * MiB), signal);
  await target.write(4 * MiB, Buffer.alloc(MiB, 7), signal);
  await target.zero(4 * MiB + 1, MiB, signal);
  await target.finish();
  const raw = join(directory.path, "image.raw");
  await run("qemu-img", ["convert", "-O", "raw", path, raw]);
  const expected = Buffer.alloc(8 * MiB);
  expected[4 * MiB] = 7;
  expect((await readFile(raw)).equals(expected)).toBe(true);
  expect((await stat(path)).size).toBeLessThan(2 * MiB);
});

test("the drafts of a file are those of its own writers that have not come to an end", async () => {
  await using directory = await scopedDirectory();
  const options = { path: join(directory.path, "image.raw"), diskId: "disk", logicalBytes: 512 };
  const neighbour = await RawFileTarget.create({ ...options, path: `${options.path}.raw` });
  await writeFile(`${options.path}.mine.partial`, "");
  expect(await draftsOf(options.path)).toEqual([]);
  const [killed, finished] = [await RawFileTarget.create(options), await Qcow2FileTarget.create(options)];
  expect(await draftsOf(options.path)).toHaveLength(2);
  await finished.finish();
  const drafts = await draftsOf(options.path);
  expect(drafts).toEqual([expect.stringMatching(/image\.raw\.[0-9a-f-]{36}\.partial$/)]);
  expect((await stat(drafts[0] ?? "")).size).toBe(512);
  await Promise.all([killed.abort(), neighbour.abort()]);
  expect(await draftsOf(options.path)).toEqual([]);
  expect(await draftsOf(join(directory.path, "nowhere", "image.raw"))).toEqual([]);
});
