import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { OvaultError } from "@ovault/contract";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

import { FileByteSource, ImageChain, openBacking, Qcow2Layer } from "../src/index.ts";
import { damaged, damages } from "./support/damaged-image.ts";
import { handMade, handMadeRecipe, type HandMadeRecipe } from "./support/hand-made-image.ts";
import { readAll } from "./support/read-all.ts";

const run = promisify(execFile);
const { signal } = new AbortController();
/** Of each property. OVAULT_QCOW2_RUNS: by hand, more of them. */
const RUNS = Number(process.env["OVAULT_QCOW2_RUNS"] ?? 120);

/** Of disks that a change makes larger: QEMU's view of one is a file. */
const MOST_BYTES = 32 * 1024 * 1024;

let directory: string;
let images = 0;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-qcow2-"));
  await run("sh", [
    "-e",
    "-c",
    `cd ${directory}
    yes base | head -c 1048576 > base.raw
    yes odd | head -c 70001 > odd.raw
    qemu-img create -q -f qcow2 base.qcow2 300K
    qemu-io -f qcow2 -c 'write -P 9 5000 200000' base.qcow2 > /dev/null`,
  ]);
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** What QEMU says of an image, and reads of it. */
interface Verdict {
  /** `qemu-img check` finds no errors; it may find clusters that nothing refers to. */
  readonly sound: boolean;
  readonly bytes: Buffer | undefined;
}

async function byQemu(path: string): Promise<Verdict> {
  const script = `cd ${directory}
    qemu-img check -q -f qcow2 ${path} > /dev/null 2>&1; echo $?
    qemu-img convert -f qcow2 -O raw ${path} ${path}.view > /dev/null 2>&1; echo $?`;
  const [check, convert] = (await run("sh", ["-c", script])).stdout.split("\n").map(Number);
  const bytes = convert === 0 ? await readFile(join(directory, `${path}.view`)) : undefined;
  await rm(join(directory, `${path}.view`), { force: true });
  return { sound: check === 0 || check === 3, bytes };
}

async function byUs(path: string): Promise<Buffer | Error> {
  const sources: FileByteSource[] = [];
  const open = async (name: string): Promise<FileByteSource> => {
    const source = await FileByteSource.open(join(directory, name));
    sources.push(source);
    return source;
  };
  try {
    const top = await Qcow2Layer.open(await open(path), signal);
    const below =
      top.backing === undefined ? [] : [await openBacking(top.backing, await open(top.backing.file), signal)];
    return await readAll(new ImageChain([top, ...below]));
  } catch (error) {
    if (error instanceof OvaultError && error.code.startsWith("E_IMAGE_")) return error;
    // A change made another name of the base.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return error;
    throw error;
  } finally {
    for (const source of sources) await source[Symbol.asyncDispose]();
  }
}

async function compare(image: Buffer): Promise<{ readonly qemu: Verdict; readonly ours: Buffer | Error }> {
  const path = `${(images += 1)}.qcow2`;
  await writeFile(join(directory, path), image);
  const [qemu, ours] = [await byQemu(path), await byUs(path)];
  await rm(join(directory, path));
  return { qemu, ours };
}

/** What of QEMU's view and ours does not go together. */
function difference({ qemu, ours }: Awaited<ReturnType<typeof compare>>): string {
  if (!Buffer.isBuffer(ours)) return qemu.bytes === undefined ? "" : `refused: ${ours.message}`;
  return qemu.bytes === undefined || ours.equals(qemu.bytes) ? "" : "other bytes";
}

test(
  "a sound image is read as QEMU reads it, whatever its header and the end of its file look like",
  { timeout: 600_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(handMadeRecipe.filter(fits), async (recipe) => {
        const compared = await compare(handMade(recipe));
        expect(compared.qemu.sound).toBe(true);
        expect(difference(compared)).toBe("");
        // Compressed data may be what the end of the file lacks.
        expect(Buffer.isBuffer(compared.ours)).toBe(compared.qemu.bytes !== undefined);
      }),
      { numRuns: RUNS },
    );
  },
);

test(
  "a changed image is read as QEMU reads it or refused, and refused only if QEMU finds it damaged",
  { timeout: 600_000 },
  async () => {
    const changed = handMadeRecipe
      .filter((recipe) => fits(recipe) && recipe.clusterBits <= 16)
      .chain((recipe) => {
        const image = handMade({ ...recipe, lastCluster: 1 });
        return damages(image).map((changes) => damaged(image, changes));
      })
      .filter((image) => image.length < 32 || image.readBigUInt64BE(24) <= BigInt(MOST_BYTES));
    let read = 0;
    await fc.assert(
      fc.asyncProperty(changed, async (image) => {
        const compared = await compare(image);
        if (Buffer.isBuffer(compared.ours)) read += 1;
        // QEMU takes an L1 table that is not there for an empty disk, and all data for clusters that nothing refers to.
        const l1IsGone = image.length < 48 || Number(image.readBigUInt64BE(40)) >= image.length;
        const mayRefuse = !compared.qemu.sound || l1IsGone;
        expect(difference(compared)).toMatch(mayRefuse ? /^(refused.*)?$/ : /^$/);
      }),
      { numRuns: RUNS },
    );
    expect(read).toBeGreaterThan(RUNS / 20);
  },
);

const WHOLE: HandMadeRecipe = {
  version: 3,
  clusterBits: 16,
  sizeTail: 0,
  clusters: [{ kind: "data", seed: 1 }, { kind: "absent" }, { kind: "data", seed: 2 }],
  headerBytes: 104,
  refcountOrder: 4,
  extendedL2: false,
  zstd: false,
  dirty: false,
  corrupt: false,
  unknownFlags: false,
  extensions: [],
  extensionsEnd: false,
  backing: undefined,
  spareL1Entries: 0,
  lastCluster: 1,
};
const CLUSTER = 65_536;

test.each([
  ["of version 3 lacks 10 bytes of its data", WHOLE, CLUSTER - 10],
  ["of version 2 lacks all but a sector of its data", { ...WHOLE, version: 2, headerBytes: 72 }, 512],
  ["lacks all but 8 bytes of its L2 table", { ...WHOLE, clusters: [{ kind: "absent" }] }, 8],
] as const)("an image that %s is sound, and what it lacks reads as zeros", async (_name, recipe, left) => {
  const image = handMade(recipe);
  const { qemu, ours } = await compare(image.subarray(0, image.length - CLUSTER + left));
  expect(qemu.sound).toBe(true);
  expect(ours).toEqual(qemu.bytes);
  const { ours: cut } = await compare(image.subarray(0, image.length - CLUSTER));
  expect(cut).toMatchObject({ code: "E_IMAGE_CORRUPT", message: "the image ends before its data does" });
});

test.each([
  ["raw, padded with NUL to 8 bytes", { file: "base.raw", format: "raw", padding: 5, gap: 0 }],
  ["none, on a raw base", { file: "base.raw", format: undefined, padding: 0, gap: 0 }],
  ["none, on a base of QCOW2", { file: "base.qcow2", format: undefined, padding: 0, gap: 0 }],
  ["empty, on a raw base", { file: "base.raw", format: "", padding: 0, gap: 0 }],
  ["that of a plain file", { file: "base.raw", format: "file", padding: 0, gap: 0 }],
] as const)("the format of a base may be %s", async (_name, backing) => {
  for (const version of [2, 3] as const) {
    const { qemu, ours } = await compare(
      handMade({ ...WHOLE, version, headerBytes: version === 2 ? 72 : 104, backing }),
    );
    expect(qemu).toMatchObject({ sound: true, bytes: expect.any(Buffer) });
    expect(ours).toEqual(qemu.bytes);
  }
});

test("a base of another format is refused, naming it", async () => {
  const { ours } = await compare(
    handMade({ ...WHOLE, backing: { file: "base.raw", format: "vmdk", padding: 0, gap: 0 } }),
  );
  expect(ours).toMatchObject({ code: "E_IMAGE_UNSUPPORTED", message: expect.stringContaining("vmdk") });
});

test.each([
  ["shorter than a header can be", (image: Buffer) => image.writeUInt32BE(96, 100)],
  ["longer than a cluster", (image: Buffer) => image.writeUInt32BE(CLUSTER + 8, 100)],
  ["of one compression that says it is of another", (image: Buffer) => image.writeBigUInt64BE(8n, 72)],
])("a header %s is refused, as QEMU refuses it", async (_name, change) => {
  const image = handMade(WHOLE);
  change(image);
  const { qemu, ours } = await compare(image);
  expect(qemu.bytes).toBeUndefined();
  expect(ours).toMatchObject({ code: "E_IMAGE_CORRUPT" });
});

/** The smallest clusters have little room for a header. */
function fits({ clusterBits, extensions, headerBytes, backing }: HandMadeRecipe): boolean {
  const extended = extensions.reduce((sum, { bytes }) => sum + 8 + Math.ceil(bytes / 8) * 8, headerBytes);
  return extended + (backing === undefined ? 8 : 16 + 24 + backing.gap + 20) <= 2 ** clusterBits;
}
