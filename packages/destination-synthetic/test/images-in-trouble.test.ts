import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { expect, onTestFinished, test } from "vitest";

import { until } from "@ovault/test-support/until";
import plugin, { SyntheticStore } from "@ovault/destination-synthetic";
import { SUM_BLOCK_BYTES } from "@ovault/destination-synthetic/internal/block-sums";

import { pluginHost, type SyntheticSite, syntheticSites } from "./support/synthetic-site.ts";

const run = promisify(execFile);
const signal = new AbortController().signal;
const MIB = 1024 * 1024;
const KEY = "vm/point/disk";

const sites = syntheticSites();

async function newSite(): Promise<SyntheticSite> {
  const site = await sites.open();
  onTestFinished(site.dispose);
  return site;
}

function patterned(bytes: number, seed: number): Buffer {
  return Buffer.alloc(bytes, `seed ${seed} `);
}

async function storeImage(store: SyntheticStore, key: string, bytes: Uint8Array, from?: string): Promise<void> {
  const draft = await store.create(key, { logicalBytes: bytes.byteLength, signal, ...(from && { from }) });
  try {
    await draft.write(0, bytes, signal);
    await draft.commit(signal);
  } finally {
    await draft.abort();
  }
}

async function readImage(store: SyntheticStore, key: string, offset: number, length: number): Promise<Buffer> {
  const image = await store.open(key, { signal });
  try {
    const bytes = Buffer.alloc(length);
    await image.readInto(offset, bytes, signal);
    return bytes;
  } finally {
    await image.close();
  }
}

function fileOf({ directory }: SyntheticSite, key: string, file: "disk.raw" | "checksums"): string {
  return join(directory, "images", `${key}~`, file);
}

/** Changes a byte as a failing disk would: past all protection. */
async function damage(path: string, offset: number): Promise<void> {
  await run("chattr", ["-i", path]);
  await chmod(path, 0o600);
  const handle = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, offset);
  await handle.write(Buffer.of(Number(byte[0]) ^ 1), 0, 1, offset);
  await handle.close();
}

async function freeRoom(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

async function freeBytes(directory: string): Promise<number> {
  await run("sync", ["-f", directory]);
  const { bfree, bsize } = await statfs(directory);
  return bfree * bsize;
}

test("an image is a plain raw file for every other tool, read-only and immutable", async () => {
  const site = await newSite();
  const bytes = patterned(3 * MIB + 512, 1);
  await storeImage(site.store, KEY, bytes);
  const disk = fileOf(site, KEY, "disk.raw");
  expect(await readFile(disk)).toEqual(bytes);
  expect((await stat(disk)).mode & 0o777).toBe(0o400);
  await expect(writeFile(disk, "x")).rejects.toMatchObject({ code: "EPERM" });
  await expect(unlink(disk)).rejects.toMatchObject({ code: "EPERM" });
  await site.store.delete(KEY, { signal });
  expect(await readdir(join(site.directory, "drafts"))).toEqual([]);
});

test("a clone costs what is written into it, zeros give room back, and a second disk of zeros costs nothing", async () => {
  const site = await newSite();
  await storeImage(site.store, KEY, patterned(32 * MIB, 1));
  const before = await freeBytes(site.directory);
  const draft = await site.store.create("vm/point2/disk", { logicalBytes: 32 * MIB, from: KEY, signal });
  await draft.write(4 * MIB, patterned(MIB, 2), signal);
  await draft.zero(8 * MIB, 16 * MIB, signal);
  await draft.commit(signal);
  expect(before - (await freeBytes(site.directory))).toBeLessThan(2 * MIB);
  await site.store.delete(KEY, { signal });
  // Of 32 MiB, the clone shares 15. XFS frees in the background.
  await until("the blocks are free", async () => (await freeBytes(site.directory)) - before > 14 * MIB);
  const { blocks } = await stat(fileOf(site, "vm/point2/disk", "disk.raw"));
  expect(blocks * 512).toBe(16 * MIB);
  const zeros = await site.store.create("vm/point3/disk", { logicalBytes: 32 * MIB, signal });
  await zeros.write(0, Buffer.alloc(32 * MIB), signal);
  await zeros.commit(signal);
  expect((await stat(fileOf(site, "vm/point3/disk", "disk.raw"))).blocks).toBe(0);
});

test("the listing says which blocks an image refers to, shared or not, and the store what its file system has", async () => {
  const site = await newSite();
  await storeImage(site.store, KEY, patterned(8 * MIB, 1));
  const before = await site.store.usage({ signal });
  const draft = await site.store.create("vm/point2/disk", { logicalBytes: 16 * MIB, from: KEY, signal });
  await draft.write(0, patterned(MIB, 2), signal);
  await draft.commit(signal);
  const listed = [];
  for await (const info of site.store.list("", { signal })) listed.push(info);
  expect(listed).toEqual([
    { key: KEY, logicalBytes: 8 * MIB, allocatedBytes: 8 * MIB },
    { key: "vm/point2/disk", logicalBytes: 16 * MIB, allocatedBytes: 8 * MIB },
  ]);
  await run("sync", ["-f", site.directory]);
  const after = await site.store.usage({ signal });
  expect(after.usedBytes - before.usedBytes).toBeLessThan(3 * MIB);
  expect(after.freeBytes).toBe(await freeRoom(site.directory));
  expect(after.usedBytes + after.freeBytes).toBeLessThanOrEqual(after.totalBytes);
});

test("a byte that the disk changed fails the reads of its block, also in clones, and no other", async () => {
  const site = await newSite();
  const bytes = patterned(MIB, 1);
  await storeImage(site.store, KEY, bytes);
  const draft = await site.store.create("vm/point2/disk", { logicalBytes: MIB, from: KEY, signal });
  await draft.commit(signal);
  for (const key of [KEY, "vm/point2/disk"]) {
    await damage(fileOf(site, key, "disk.raw"), SUM_BLOCK_BYTES + 1000);
    for (const [offset, length] of [
      [SUM_BLOCK_BYTES, SUM_BLOCK_BYTES],
      [SUM_BLOCK_BYTES + 5000, 10],
      [0, MIB],
    ] as const) {
      const read = readImage(site.store, key, offset, length);
      await expect(read).rejects.toMatchObject({
        code: "E_INTEGRITY",
        context: expect.objectContaining({ offset: SUM_BLOCK_BYTES }),
      });
    }
    expect(await readImage(site.store, key, 0, SUM_BLOCK_BYTES)).toEqual(bytes.subarray(0, SUM_BLOCK_BYTES));
    const rest = 2 * SUM_BLOCK_BYTES;
    expect(await readImage(site.store, key, rest, MIB - rest)).toEqual(bytes.subarray(rest));
  }
});

test("damage of the older image is not taken for right by a clone that is cut in the damaged block", async () => {
  const site = await newSite();
  await storeImage(site.store, KEY, patterned(MIB, 1));
  await damage(fileOf(site, KEY, "disk.raw"), 10);
  const create = site.store.create("vm/point2/disk", { logicalBytes: 1000, from: KEY, signal });
  await expect(create).rejects.toMatchObject({ code: "E_INTEGRITY" });
  const draft = await site.store.create("vm/point3/disk", { logicalBytes: MIB, from: KEY, signal });
  const write = async () => {
    await draft.write(100, Buffer.from("a part of the damaged block"), signal);
    await draft.commit(signal);
  };
  await expect(write()).rejects.toMatchObject({ code: "E_INTEGRITY" });
  await draft.abort();
});

test("an image whose checksums are gone or damaged, or whose disk is cut, is not trusted", async () => {
  const site = await newSite();
  const damages: readonly (() => Promise<unknown>)[] = [
    () => damage(fileOf(site, KEY, "checksums"), 30),
    async () => {
      await run("chattr", ["-i", fileOf(site, KEY, "checksums")]);
      await rm(fileOf(site, KEY, "checksums"));
    },
    async () => {
      await damage(fileOf(site, KEY, "disk.raw"), 0);
      await run("truncate", ["--size", "1000", fileOf(site, KEY, "disk.raw")]);
    },
  ];
  for (const [number, harm] of damages.entries()) {
    await storeImage(site.store, KEY, patterned(MIB, 1));
    await harm();
    await expect(site.store.open(KEY, { signal }), `damage ${number}`).rejects.toMatchObject({ code: "E_INTEGRITY" });
    const clone = site.store.create("vm/point2/disk", { logicalBytes: MIB, from: KEY, signal });
    await expect(clone).rejects.toMatchObject({ code: "E_INTEGRITY" });
    expect(await readdir(join(site.directory, "drafts"))).toEqual([]);
    await site.store.delete(KEY, { signal });
  }
});

test("a full disk ends the draft, harms no image, and takes the next one after room was made", async () => {
  const site = await newSite();
  const bytes = patterned(8 * MIB, 1);
  await storeImage(site.store, KEY, bytes);
  const free = await freeBytes(site.directory);
  const draft = await site.store.create("vm/point2/disk", { logicalBytes: 4 * free, from: KEY, signal });
  const fill = async () => {
    for (let offset = 0; offset < 2 * free; offset += 8 * MIB) await draft.write(offset, bytes, signal);
    await draft.commit(signal);
  };
  await expect(fill()).rejects.toMatchObject({ code: "E_STORE_FULL" });
  await draft.abort();
  expect(await readdir(join(site.directory, "drafts"))).toEqual([]);
  expect(await readImage(site.store, KEY, 0, bytes.byteLength)).toEqual(bytes);
  await storeImage(site.store, "vm/point2/disk", bytes, KEY);
});

test("what a killed process leaves of a draft goes with the next start, and no image of it is there", async () => {
  const site = await newSite();
  await storeImage(site.store, KEY, patterned(MIB, 1));
  const program = fileURLToPath(new URL("support/write-for-ever.ts", import.meta.url));
  const writer = spawn(process.execPath, [program, site.directory, KEY], { stdio: ["ignore", "pipe", "inherit"] });
  await once(writer.stdout, "data");
  const drafts = join(site.directory, "drafts");
  expect(await readdir(drafts)).toHaveLength(1);
  await (await SyntheticStore.open(site.directory)).close();
  expect(await readdir(drafts), "a draft of a process that lives").toHaveLength(1);
  writer.kill("SIGKILL");
  await once(writer, "exit");
  const store = await SyntheticStore.open(site.directory);
  expect(await readdir(drafts)).toEqual([]);
  await expect(store.open("vm/killed/disk", { signal })).rejects.toMatchObject({ code: "E_OBJECT_NOT_FOUND" });
});

test("a file system without reflinks is refused with the reason, when it is set up and when it is opened", async () => {
  const site = await newSite();
  const elsewhere = await mkdtemp(join(tmpdir(), "ovault-no-reflinks-"));
  onTestFinished(() => rm(elsewhere, { recursive: true }));
  const refused = {
    code: "E_STORE",
    message: expect.stringContaining("no reflinks"),
    hint: expect.stringContaining("XFS"),
  };
  const directory = join(elsewhere, "synthetic");
  await expect(plugin.prepare?.({ directory }, pluginHost)).rejects.toMatchObject(refused);
  for (const name of ["objects", "images", "drafts"]) await mkdir(join(directory, name), { recursive: true });
  await expect(plugin.create({ directory }, pluginHost)).rejects.toMatchObject(refused);
  expect(await readdir(join(directory, "drafts"))).toEqual([]);
  expect(await readdir(join(site.directory, "drafts"))).toEqual([]);
  await (await plugin.create({ directory }, { ...pluginHost, readOnly: true })).close();
});

test("a destination that is not mounted is an error, never an empty one", async () => {
  const site = await newSite();
  await storeImage(site.store, KEY, patterned(1000, 1));
  await rename(site.directory, `${site.directory}-away`);
  const missing = { code: "E_DESTINATION_MISSING" };
  await expect(SyntheticStore.open(site.directory)).rejects.toMatchObject(missing);
  await mkdir(join(site.directory, "images"), { recursive: true });
  await expect(SyntheticStore.open(site.directory)).rejects.toMatchObject(missing);
  await expect(site.store.open(KEY, { signal })).rejects.toMatchObject(missing);
  await expect(site.store.delete(KEY, { signal })).rejects.toMatchObject(missing);
  await expect(site.store.list("", { signal })[Symbol.asyncIterator]().next()).rejects.toMatchObject(missing);
  await rm(site.directory, { recursive: true });
  await rename(`${site.directory}-away`, site.directory);
  expect(await readImage(site.store, KEY, 0, 1000)).toEqual(patterned(1000, 1));
});

test("links are never followed", async () => {
  const site = await newSite();
  const other = await newSite();
  await storeImage(other.store, KEY, patterned(1000, 1));
  await symlink(join(other.directory, "images", "vm"), join(site.directory, "images", "vm"));
  const refused = { code: "E_STORE" };
  await expect(site.store.open(KEY, { signal })).rejects.toMatchObject(refused);
  await expect(site.store.delete(KEY, { signal })).rejects.toMatchObject(refused);
  await expect(storeImage(site.store, "vm/new", patterned(10, 1))).rejects.toMatchObject(refused);
  await expect(site.store.create("new", { logicalBytes: 1, from: KEY, signal })).rejects.toMatchObject(refused);
  await rm(join(site.directory, "images", "vm"));
  expect(await readImage(other.store, KEY, 0, 1000)).toEqual(patterned(1000, 1));
});
