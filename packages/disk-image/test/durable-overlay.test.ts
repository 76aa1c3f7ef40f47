import { randomBytes } from "node:crypto";
import { mkdir, readdir, truncate } from "node:fs/promises";
import { join } from "node:path";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { systemErrorCode } from "@ovault/contract";
import { temporaryDirectory } from "@ovault/test-support/temporary-directory";

import { DurableOverlay, type RangedDisk } from "../src/index.ts";
import { type Choose, PowerCutDirectory, systemError } from "./support/power-cut-directory.ts";

const PAGE_BYTES = 4096;
const SECTOR_BYTES = 512;
const { signal } = new AbortController();

function diskOf(bytes: Buffer): RangedDisk {
  return {
    logicalBytes: bytes.length,
    readInto: async (offset, buffer) => buffer.set(bytes.subarray(offset, offset + buffer.byteLength)),
    async *extentsOf({ offset, length }) {
      yield { offset, length, kind: "data" };
    },
  };
}

type Step =
  | { readonly kind: "write" | "zero"; readonly at: number; readonly length: number; readonly seed: number }
  | { readonly kind: "flush" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ kind: "flush" } as const) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom("write", "write", "zero"),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      length: fc.oneof(fc.integer({ min: 1, max: 1500 }), fc.integer({ min: 1, max: 4 * PAGE_BYTES })),
      seed: fc.integer({ min: 1, max: 255 }),
    }),
  },
);

/** What each sector of the disk may hold after a power cut: as it was durable, or as it was at any time since. */
class Expectation {
  readonly visible: Buffer;
  readonly #allowed = new Map<number, Set<string>>();

  constructor(visible: Buffer) {
    this.visible = Buffer.from(visible);
  }

  /** Before the call that writes: it may be carried out at once. */
  writes(offset: number, data: Buffer): void {
    const [first, last] = [Math.floor(offset / SECTOR_BYTES), Math.floor((offset + data.length - 1) / SECTOR_BYTES)];
    for (let sector = first; sector <= last; sector += 1) this.#allow(sector);
    data.copy(this.visible, offset);
    for (let sector = first; sector <= last; sector += 1) this.#allow(sector);
  }

  /** Everything so far is durable. */
  flushed(): void {
    this.#allowed.clear();
  }

  wrongSectors(found: Buffer): readonly number[] {
    const wrong: number[] = [];
    for (let sector = 0; sector * SECTOR_BYTES < found.length; sector += 1) {
      const allowed = this.#allowed.get(sector) ?? new Set([this.#at(this.visible, sector)]);
      if (!allowed.has(this.#at(found, sector))) wrong.push(sector);
    }
    return wrong;
  }

  #allow(sector: number): void {
    const allowed = this.#allowed.get(sector) ?? new Set();
    this.#allowed.set(sector, allowed.add(this.#at(this.visible, sector)));
  }

  #at(bytes: Buffer, sector: number): string {
    return bytes.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES).toString("latin1");
  }
}

async function allOf(overlay: DurableOverlay): Promise<Buffer> {
  const bytes = Buffer.alloc(overlay.logicalBytes, 0xee);
  await overlay.readInto(0, bytes, signal);
  return bytes;
}

/** Does the steps; calls `maybeCut` before each and after the last one. */
async function live(overlay: DurableOverlay, expected: Expectation, steps: readonly Step[]): Promise<void> {
  for (const one of steps) {
    if (one.kind === "flush") {
      await overlay.flush();
      expected.flushed();
      continue;
    }
    const offset = Math.min(overlay.logicalBytes - 1, Math.floor(one.at * overlay.logicalBytes));
    const length = Math.min(one.length, overlay.logicalBytes - offset);
    const data = Buffer.alloc(length, one.kind === "zero" ? 0 : `${one.seed} at ${offset} `);
    expected.writes(offset, data);
    await (one.kind === "zero" ? overlay.zero(offset, length, signal) : overlay.write(offset, data, signal));
  }
}

const lives = fc.record({
  bytes: fc.integer({ min: 1, max: 10 * PAGE_BYTES }),
  rewriteBytes: fc.constantFrom(0, 100, 1_000_000),
  lives: fc.array(fc.array(step, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
  seed: fc.nat(),
});

/** The same choices for the same seed. */
function chooser(seed: number): Choose {
  let state = seed || 1;
  return (choices) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * choices);
  };
}

test("after power cuts, what was flushed is there, and each sector is as it was at some time since", async () => {
  await fc.assert(
    fc.asyncProperty(lives, async ({ bytes, rewriteBytes, lives: steps, seed }) => {
      const content = randomBytes(bytes);
      const base = diskOf(content);
      const choose = chooser(seed);
      let directory = new PowerCutDirectory(rewriteBytes);
      let visible: Buffer = content;
      for (const part of steps) {
        const overlay = await DurableOverlay.openIn(directory, { base, name: "disk" });
        expect((await allOf(overlay)).equals(visible)).toBe(true);
        const expected = new Expectation(visible);
        await live(overlay, expected, part);
        expect((await allOf(overlay)).equals(expected.visible)).toBe(true);
        directory = directory.cut(choose);
        // Opened twice: what the first opening finds is what stays.
        const after = await DurableOverlay.openIn(directory, { base, name: "disk" });
        visible = await allOf(after);
        expect(expected.wrongSectors(visible)).toEqual([]);
        directory = directory.cut(choose);
      }
    }),
    { numRuns: 150 },
  );
});

test("a power cut at any call harms nothing that was flushed", async () => {
  await fc.assert(
    fc.asyncProperty(lives, fc.nat(60), async ({ bytes, rewriteBytes, lives: steps, seed }, callsUntil) => {
      const content = randomBytes(bytes);
      const base = diskOf(content);
      const choose = chooser(seed);
      const directory = new PowerCutDirectory(rewriteBytes);
      let left: PowerCutDirectory | undefined;
      let calls = 0;
      directory.faults.before = () => {
        if (calls === callsUntil) left = directory.cut(choose);
        calls += 1;
        if (left !== undefined) throw systemError("EIO");
      };
      const expected = new Expectation(content);
      try {
        const overlay = await DurableOverlay.openIn(directory, { base, name: "disk" });
        await live(overlay, expected, steps.flat());
      } catch (error) {
        if (left === undefined) throw error;
      }
      const after = await DurableOverlay.openIn(left ?? directory.cut(choose), { base, name: "disk" });
      expect(expected.wrongSectors(await allOf(after))).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test("a full disk fails the call, harms nothing, and is over when there is room again", async () => {
  await fc.assert(
    fc.asyncProperty(lives, fc.nat(30), async ({ bytes, rewriteBytes, lives: steps }, callsUntil) => {
      const content = randomBytes(bytes);
      const base = diskOf(content);
      const directory = new PowerCutDirectory(rewriteBytes);
      const overlay = await DurableOverlay.openIn(directory, { base, name: "disk" });
      let calls = 0;
      directory.faults.before = (call) => {
        calls += call === "write" ? 1 : 0;
        if (call === "write" && calls > callsUntil && calls < callsUntil + 5) throw systemError("ENOSPC");
      };
      const expected = new Expectation(content);
      for (const one of steps.flat()) {
        // A guest repeats what failed.
        for (let tries = 0; tries < 10; tries += 1) {
          try {
            await live(overlay, expected, [one]);
            break;
          } catch (error) {
            if (systemErrorCode(error) !== "ENOSPC") throw error;
          }
        }
      }
      delete directory.faults.before;
      await overlay.flush();
      expect((await allOf(overlay)).equals(expected.visible)).toBe(true);
      const after = await DurableOverlay.openIn(directory.cut(chooser(1)), { base, name: "disk" });
      expect((await allOf(after)).equals(expected.visible)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test("when something cannot be made durable, nothing is promised any more, and what was durable is there", async () => {
  const content = randomBytes(8 * PAGE_BYTES);
  const base = diskOf(content);
  // Files keep the name that they were opened by.
  for (const failing of ["data", "journal.new"]) {
    const directory = new PowerCutDirectory(1_000_000);
    const overlay = await DurableOverlay.openIn(directory, { base, name: "disk" });
    await overlay.write(0, Buffer.alloc(PAGE_BYTES, 1), signal);
    await overlay.flush();
    directory.faults.before = (call, name) => {
      if (call === "datasync" && name === failing) throw systemError("EIO");
    };
    await overlay.write(PAGE_BYTES, Buffer.alloc(PAGE_BYTES, 2), signal);
    await expect(overlay.flush()).rejects.toMatchObject({ code: "EIO" });
    delete directory.faults.before;
    const refused = { message: expect.stringContaining("could not be made durable") };
    await expect(overlay.flush()).rejects.toMatchObject(refused);
    await expect(overlay.write(0, Buffer.alloc(1), signal)).rejects.toMatchObject(refused);
    await expect(overlay.readInto(0, Buffer.alloc(1), signal)).rejects.toMatchObject(refused);
    const after = await DurableOverlay.openIn(
      directory.cut(() => 0),
      { base, name: "disk" },
    );
    const found = await allOf(after);
    expect(found.subarray(0, PAGE_BYTES).equals(Buffer.alloc(PAGE_BYTES, 1))).toBe(true);
    expect(found.subarray(PAGE_BYTES).equals(content.subarray(PAGE_BYTES))).toBe(true);
  }
});

test("damage of the journal is an error, wherever it is, and never an older disk", async () => {
  const base = diskOf(randomBytes(8 * PAGE_BYTES));
  const make = async (): Promise<PowerCutDirectory> => {
    const directory = new PowerCutDirectory(1_000_000);
    const overlay = await DurableOverlay.openIn(directory, { base, name: "disk" });
    for (const page of [0, 2, 5]) {
      await overlay.write(page * PAGE_BYTES, Buffer.alloc(PAGE_BYTES, page + 1), signal);
      await overlay.flush();
    }
    await overlay.close();
    return directory;
  };
  const size = (await make()).sizeOf("journal");
  /** Bytes of the header that mean something, and all records; the notes of the end are only a lower bound. */
  const places = [...range(0, 24), ...range(3068, 3072), ...range(4096, size)];
  for (const offset of places) {
    const directory = await make();
    directory.damage("journal", offset);
    await expect(DurableOverlay.openIn(directory, { base, name: "disk" })).rejects.toMatchObject({
      code: "E_INTEGRITY",
    });
  }
});

function range(start: number, end: number): readonly number[] {
  return Array.from({ length: end - start }, (_, at) => start + at);
}

test("an overlay is opened over its own disk only", async () => {
  const base = diskOf(randomBytes(3 * PAGE_BYTES));
  const directory = await temporaryDirectory();
  const open = (name: string, disk = base) => DurableOverlay.open({ base: disk, name, directory });
  const overlay = await open("point/disk");
  await overlay.write(0, Buffer.from("written"), signal);
  await overlay.close();
  await expect(open("point/other")).rejects.toMatchObject({ code: "E_INTEGRITY" });
  await expect(open("point/disk", diskOf(randomBytes(4 * PAGE_BYTES)))).rejects.toMatchObject({ code: "E_INTEGRITY" });
  const again = await open("point/disk");
  expect((await allOf(again)).subarray(0, 7).toString()).toBe("written");
  await again.close();
  await truncate(join(directory, "data"), 100);
  const cut = await open("point/disk");
  await expect(allOf(cut)).rejects.toMatchObject({ message: expect.stringContaining("shorter") });
  await cut.close();
});

test("flushes at the same time share one, and a large journal is written anew", async () => {
  const base = diskOf(Buffer.alloc(64 * PAGE_BYTES));
  const directory = new PowerCutDirectory(200);
  let syncs = 0;
  directory.faults.before = (call, name) => {
    if (call === "datasync" && name === "data") syncs += 1;
  };
  const overlay = await DurableOverlay.openIn(directory, { base, name: "disk" });
  await overlay.write(0, Buffer.alloc(10, 1), signal);
  await Promise.all(Array.from({ length: 20 }, () => overlay.flush()));
  expect(syncs).toBeLessThanOrEqual(2);
  for (let round = 0; round < 500; round += 1) {
    await (round % 2 === 0
      ? overlay.zero((round % 64) * PAGE_BYTES, PAGE_BYTES, signal)
      : overlay.write(((round - 1) % 64) * PAGE_BYTES, Buffer.alloc(PAGE_BYTES, round), signal));
    await overlay.flush();
  }
  expect(directory.sizeOf("journal")).toBeLessThan(6000);
  const visible = await allOf(overlay);
  const after = await DurableOverlay.openIn(
    directory.cut(() => 0),
    { base, name: "disk" },
  );
  expect((await allOf(after)).equals(visible)).toBe(true);
});

test("a directory that cannot be made use of is an error that names it", async () => {
  const base = diskOf(Buffer.alloc(PAGE_BYTES));
  const directory = join(await temporaryDirectory(), "overlay");
  await expect(DurableOverlay.open({ base, name: "disk", directory })).rejects.toMatchObject({ code: "E_IMAGE_FILE" });
  await mkdir(directory);
  await (await DurableOverlay.open({ base, name: "disk", directory })).close();
  expect((await readdir(directory)).toSorted()).toEqual(["data", "journal"]);
});
