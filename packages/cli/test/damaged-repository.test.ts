import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { RecoveryPoint } from "@ovault/contract";
import { Repository } from "@ovault/core";
import { createFilesystemDestination, FilesystemStore } from "@ovault/destination-filesystem";
import { type ModelDisk, sourceOf } from "@ovault/testkit";

import { takePoint } from "@ovault/test-support/repository/take-point";
import { runOvaultIn } from "./run-ovault-in.ts";

const { signal } = new AbortController();
const MIB = 1024 * 1024;
const BLOCK_BYTES = MIB / 4;

/** Eight blocks that differ. */
const disk: ModelDisk = {
  bytes: Uint8Array.from({ length: 8 * BLOCK_BYTES }, (_, at) => (Math.imul(at >> 6, 0x9e37_79b1) >>> 13) & 0xff),
  extents: [{ offset: 0, length: 8 * BLOCK_BYTES, kind: "data" }],
};

let directory: string;
let point: RecoveryPoint;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-damaged-"));
  for (const name of ["nas", "offsite"]) {
    await createFilesystemDestination(join(directory, name));
    const store = await FilesystemStore.open(join(directory, name));
    await Repository.create(store, { blockBytes: BLOCK_BYTES, signal });
  }
  point = await takePoint(await openNas(), [sourceOf(disk)]);
  const destinations = ["nas", "offsite"].map((name) => `  ${name}: { type: filesystem, directory: ${name} }`);
  const yaml = ["destinations:", ...destinations, "defaults: { destination: nas }"];
  await writeFile(join(directory, "ovault.yaml"), yaml.join("\n"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function openNas(): Promise<Repository> {
  return await Repository.open(await FilesystemStore.open(join(directory, "nas")), { signal });
}

/** On the configuration above. */
const { ovault, text } = runOvaultIn(() => directory);

/** One bit in the third block of the only pack of blocks. */
async function flipABlock(): Promise<void> {
  for (const entry of await readdir(join(directory, "nas", "packs"), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const pack = await readFile(path);
    if (pack[9] !== 1) continue;
    const [chunk] = (await openNas()).index.find(await blockId(2));
    const at = (chunk?.offset ?? 0) + 100;
    pack[at] = (pack[at] ?? 0) ^ 1;
    await writeFile(path, pack);
  }
}

async function blockId(block: number) {
  const { protection } = await openNas();
  return await protection.chunkId(disk.bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES));
}

const lostRange = { offset: 2 * BLOCK_BYTES, length: BLOCK_BYTES, reason: expect.any(String) };

describe("a repository with a damaged block", () => {
  beforeEach(flipABlock);

  test("is found out by a sample, repaired, and shows what is lost", async () => {
    const sampled = await ovault("verify", "--sample", "100%");
    const found = [{ point: null }, { point: point.id, disk: "disk-1" }];
    expect(sampled).toMatchObject({ exitCode: 5, data: { points: 1, packs: 3, pagesOnce: 0, damage: found } });
    expect(await ovault("points")).toMatchObject({ exitCode: 0, data: [{ id: point.id, lostBytes: BLOCK_BYTES }] });
    const repaired = await ovault("repair");
    expect(repaired).toMatchObject({
      exitCode: 5,
      data: { lost: [{ point: point.id, lostBytes: BLOCK_BYTES, disks: [{ disk: "disk-1", ranges: [lostRange] }] }] },
    });
    expect(await ovault("points")).toMatchObject({ data: [{ id: point.id, lostBytes: BLOCK_BYTES }] });
    const said = await text("verify");
    expect(said).toMatch(/ 1 of \d+ chunks? in packs\/\S+ is damaged$/m);
    expect(said).toContain("damage found in 1 object and 1 recovery point\n");
    expect(await text("points")).toMatch(/LOST[^]*256 KiB[^]*--salvage/);
    expect(await ovault("show", point.id)).toMatchObject({ data: { id: point.id, lost: [{ ranges: [lostRange] }] } });
    expect(await text("show", point.id)).toContain(`${2 * BLOCK_BYTES}`);
    const all = await ovault("verify", "--all");
    const damage = [{ point: null }, { point: point.id, disk: "disk-1", ...lostRange }];
    expect(all).toMatchObject({ exitCode: 5, data: { points: 1, damage } });
  });

  test("gives back what is left with --salvage, and refuses without", async () => {
    const path = join(directory, "saved.raw");
    const args = ["restore", point.id, "--disk", "0", "--to-file", path];
    const refused = await ovault(...args);
    expect(refused).toMatchObject({ exitCode: 5, data: undefined });
    expect(refused.stderr).toContain("E_INTEGRITY");
    const saved = await ovault(...args, "--salvage");
    expect(saved).toMatchObject({
      exitCode: 5,
      data: { file: path, lost: [{ disk: "disk-1", alias: "disk-1", lostBytes: BLOCK_BYTES, ranges: [lostRange] }] },
    });
    const expected = Buffer.from(disk.bytes);
    expected.fill(0, 2 * BLOCK_BYTES, 3 * BLOCK_BYTES);
    expect(Buffer.compare(await readFile(path), expected)).toBe(0);
  });

  test("heals when a later backup brings the block again", async () => {
    await ovault("repair", "--read-data");
    await takePoint(await openNas(), [sourceOf(disk)]);
    expect(await ovault("points")).toMatchObject({ data: [{ lostBytes: 0 }, { lostBytes: 0 }] });
    expect(await ovault("repair")).toMatchObject({ exitCode: 0, data: { lost: [], healed: [point.id] } });
    const path = join(directory, "whole.raw");
    const restored = await ovault("restore", point.id, "--disk", "0", "--to-file", path, "--salvage");
    expect(restored).toMatchObject({ exitCode: 0, data: { lost: [] } });
    expect(Buffer.compare(await readFile(path), disk.bytes)).toBe(0);
  });

  test("is not copied, and the points that are whole are", async () => {
    const other = await takePoint(await openNas(), [sourceOf({ ...disk, bytes: disk.bytes.map((byte) => byte ^ 7) })]);
    const copied = await ovault("copy", "--all", "--to", "offsite");
    expect(copied).toMatchObject({
      exitCode: 7,
      data: [
        { point: point.id, outcome: "failed", error: { code: "E_INTEGRITY" } },
        { point: other.id, outcome: "copied", readBytes: disk.bytes.byteLength, error: null },
      ],
    });
    expect(await ovault("points", "--from", "offsite")).toMatchObject({ data: [{ id: other.id }] });
  });
});

test("a point is copied once, restores from there, and a dry run foresees it", async () => {
  const planned = await ovault("copy", "vm-1@latest", "--to", "offsite", "--dry-run");
  expect(planned).toMatchObject({ exitCode: 0, data: [{ outcome: "copied", readBytes: disk.bytes.byteLength }] });
  expect(await ovault("points", "--from", "offsite")).toMatchObject({ data: [] });
  expect(await ovault("copy", point.id, "--to", "offsite")).toMatchObject({
    exitCode: 0,
    data: [{ outcome: "copied" }],
  });
  expect(await ovault("copy", "--vm", "vm-1", "--to", "offsite")).toMatchObject({
    exitCode: 0,
    data: [{ outcome: "present", readBytes: 0, storedBytes: 0 }],
  });
  expect(await text("show", point.id, "--from", "offsite")).toContain("copied from");
  const path = join(directory, "copy.raw");
  const restored = await ovault("restore", point.id, "--disk", "0", "--to-file", path, "--from", "offsite");
  expect(restored.exitCode).toBe(0);
  expect(Buffer.compare(await readFile(path), disk.bytes)).toBe(0);
});

test("a repair of a whole repository says so, and a dry run of it changes nothing", async () => {
  expect(await ovault("repair", "--dry-run", "--read-data")).toMatchObject({
    exitCode: 0,
    data: { dryRun: true, index: [], packs: [], lost: [], places: { known: 0 }, foreign: { count: 0 } },
  });
  await writeFile(join(directory, "nas", "notes.txt"), "mine");
  expect(await text("repair")).toMatch(/none has lost data[^]*not of ovault[^]*notes\.txt/);
});

test("what was forgotten at the destination stays so, and only newer points follow when that is asked for", async () => {
  await ovault("copy", "--all", "--to", "offsite");
  const other = await takePoint(await openNas(), [sourceOf({ ...disk, bytes: disk.bytes.map((byte) => byte ^ 7) })]);
  await ovault("copy", other.id, "--to", "offsite");
  await ovault("forget", point.id, "--from", "offsite");
  expect(await ovault("copy", "--all", "--to", "offsite")).toMatchObject({
    exitCode: 0,
    data: [{ point: other.id, outcome: "present" }],
  });
  expect(await ovault("copy", point.id, "--to", "offsite")).toMatchObject({
    exitCode: 2,
    data: [{ outcome: "failed", error: { code: "E_USAGE" } }],
  });
  expect(await ovault("copy", "--all", "--newer", "--to", "offsite")).toMatchObject({ exitCode: 0, data: [] });
  const newest = await takePoint(await openNas(), [sourceOf(disk)]);
  expect(await ovault("copy", "--vm", "vm-1", "--newer", "--to", "offsite")).toMatchObject({
    exitCode: 0,
    data: [{ point: newest.id, outcome: "copied", readBytes: 0 }],
  });
});
