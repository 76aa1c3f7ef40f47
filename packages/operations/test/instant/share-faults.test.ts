import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { afterEach, expect, test } from "vitest";

import { run } from "@ovault/test-support/commands";
import { until } from "@ovault/test-support/until";

import { BLOCK_BYTES, diskOf, PATHS, ShareSite } from "./support/share-site.ts";

const FILE_SYNC = 2;
const [IO, NO_SPACE, LATER] = [5, 28, 10_008];

let site: ShareSite;
afterEach(() => site[Symbol.asyncDispose]());

function bytesOf(offset: number, length: number): Buffer {
  return Buffer.from((site.disks[0]?.bytes ?? new Uint8Array()).subarray(offset, offset + length));
}

test("a damaged block is an I/O error for who reads or partly writes it, told once; all others are right", async () => {
  site = await ShareSite.make();
  const damaged = 5 * BLOCK_BYTES;
  await flipBlock(damaged);
  await site.start();
  await using share = await site.connect();
  const file = await share.find(PATHS[0]);
  for (let at = 0; at < 40; at += 1) {
    const read = await share.client.read(file, BigInt(at * BLOCK_BYTES), BLOCK_BYTES);
    expect(read).toEqual(at === 5 ? IO : bytesOf(at * BLOCK_BYTES, BLOCK_BYTES));
  }
  expect(await share.client.write(file, BigInt(damaged + 100), Buffer.from("part"), FILE_SYNC)).toBe(IO);
  // A whole page needs nothing of what was there.
  expect(await share.client.write(file, BigInt(damaged), Buffer.alloc(4096, 1), FILE_SYNC)).toBeInstanceOf(Buffer);
  expect(await share.client.read(file, BigInt(damaged), 4096)).toEqual(Buffer.alloc(4096, 1));
  expect(site.stderr.match(/share web01: domain\/images\/image-0\/volume-0: /g)).toHaveLength(1);
});

/** One bit of the only place of a block. */
async function flipBlock(offset: number): Promise<void> {
  const repository = await site.repository();
  const [place] = repository.index.find(await repository.protection.chunkId(bytesOf(offset, BLOCK_BYTES)));
  if (place === undefined) throw new Error("the block is stored");
  const path = join(site.nas, "packs", place.pack.name.slice(0, 2), place.pack.name);
  const pack = await readFile(path);
  pack[place.offset + 20] = (pack[place.offset + 20] ?? 0) ^ 1;
  await rm(path);
  await writeFile(path, pack);
  await repository.close();
}

test("a destination that is gone for a while makes hosts wait, and nothing else", async () => {
  // More than the cache has room for, and than is read ahead.
  site = await ShareSite.make({ disks: [diskOf(1, 120)] });
  await site.share.describe({ ...(await site.share.description()), cacheBytes: 8 * BLOCK_BYTES });
  await site.start();
  await using share = await site.connect();
  const file = await share.find(PATHS[0]);
  await rename(site.nas, `${site.nas}.gone`);
  const far = BigInt(110 * BLOCK_BYTES);
  expect(await share.client.read(file, far, 4096)).toBe(LATER);
  expect(await share.client.write(file, far + 1n, Buffer.from("part"), FILE_SYNC)).toBe(LATER);
  const plain = await share.client.create(share.root, "ids");
  if (typeof plain === "number") throw new Error(`create: ${plain}`);
  expect(await share.client.write(plain, 0n, Buffer.alloc(512, 1), FILE_SYNC)).toBeInstanceOf(Buffer);
  expect(await share.client.write(file, far, Buffer.alloc(4096, 3), FILE_SYNC)).toBeInstanceOf(Buffer);
  await rename(`${site.nas}.gone`, site.nas);
  expect(await share.client.read(file, far, 4096)).toEqual(Buffer.alloc(4096, 3));
  expect(await share.client.read(file, far + 4096n, 4096)).toEqual(bytesOf(110 * BLOCK_BYTES + 4096, 4096));
});

test("a share that starts without its destination serves plain files at once, and disks when it is back", async () => {
  site = await ShareSite.make();
  await site.start();
  const handles = await (async () => {
    await using share = await site.connect();
    return { disk: await share.find(PATHS[0]), plain: await share.client.create(share.root, "ids") };
  })();
  if (typeof handles.plain === "number") throw new Error("no plain file");
  await site.end("SIGKILL");
  await rename(site.nas, `${site.nas}.gone`);
  await site.start("listening");
  await using share = await site.connect();
  expect(await share.client.write(handles.plain, 0n, Buffer.alloc(512, 1), FILE_SYNC)).toBeInstanceOf(Buffer);
  expect(await share.client.read(handles.disk, 0n, 4096)).toBe(LATER);
  expect(await share.client.size(handles.disk)).toBe(BigInt(bytesOf(0, Infinity).length));
  await until("the share says why", () => site.stderr.includes("share web01: "));
  await rename(`${site.nas}.gone`, site.nas);
  await site.printed("ready");
  expect(await share.client.read(handles.disk, 0n, 4096)).toEqual(bytesOf(0, 4096));
});

test("what was written and is damaged is an I/O error, told; other disks are served", async () => {
  site = await ShareSite.make();
  await site.start();
  {
    await using share = await site.connect();
    const file = await share.find(PATHS[0]);
    for (let at = 0; at < 5; at += 1)
      await share.client.write(file, BigInt(at * 8192), Buffer.alloc(4096, 9), FILE_SYNC);
  }
  await site.end("SIGKILL");
  const [point] = (await site.share.description()).points;
  const journal = join(site.share.overlayOf(`${point?.hold}-0`), "journal");
  const bytes = await readFile(journal);
  bytes[4096 + 20] = (bytes[4096 + 20] ?? 0) ^ 1;
  await writeFile(journal, bytes);
  await site.start();
  await using share = await site.connect();
  expect(await share.client.read(await share.find(PATHS[0]), 0n, 4096)).toBe(IO);
  expect(await share.client.read(await share.find(PATHS[1]), 0n, 4096)).toBeInstanceOf(Buffer);
  expect(site.stderr).toMatch(/what was written to the disk is lost/);
});

test("a full disk below the overlays is told to hosts, harms nothing, and all goes on when there is room", async (context) => {
  site = await ShareSite.make();
  const [point] = (await site.share.description()).points;
  const place = site.share.overlayOf(`${point?.hold}-0`);
  await run("mkdir", ["-p", place]);
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=1m", "none", place]);
  } catch {
    return context.skip("nothing can be mounted here");
  }
  await using _mounted = {
    [Symbol.asyncDispose]: async () => {
      await run("umount", ["-l", place]);
    },
  };
  const before = await site.listing();
  await site.start();
  await using share = await site.connect();
  const file = await share.find(PATHS[0]);
  const expected = bytesOf(0, Infinity);
  const outcomes: unknown[] = [];
  for (let at = 0; at < 16; at += 1) {
    const bytes = Buffer.alloc(128 * 1024, 100 + at);
    const written = await share.client.write(file, BigInt(at * bytes.length), bytes, FILE_SYNC);
    outcomes.push(typeof written === "number" ? written : "written");
    if (typeof written !== "number") bytes.copy(expected, at * bytes.length);
  }
  expect(new Set(outcomes)).toEqual(new Set(["written", NO_SPACE]));
  const full = outcomes.indexOf(NO_SPACE) * 128 * 1024;
  expect(await share.client.read(file, BigInt(full + 128 * 1024 * 2), 4096)).toEqual(
    expected.subarray(full + 128 * 1024 * 2, full + 128 * 1024 * 2 + 4096),
  );
  await run("mount", ["-o", "remount,size=64m", place]);
  const again = Buffer.alloc(expected.length, 55);
  for (let at = 0; at < expected.length; at += BLOCK_BYTES) {
    const part = again.subarray(at, at + BLOCK_BYTES);
    expect(await share.client.write(file, BigInt(at), part, FILE_SYNC)).toBeInstanceOf(Buffer);
  }
  await site.end("SIGKILL");
  await site.start();
  await using later = await site.connect();
  expect((await later.content(await later.find(PATHS[0]))).equals(again)).toBe(true);
  expect(await site.listing()).toEqual(before);
});

test("small writes to plain files stay quick beside readers of disks", { timeout: 60_000 }, async () => {
  site = await ShareSite.make({ disks: [diskOf(1, 400)] });
  await site.share.describe({ ...(await site.share.description()), cacheBytes: 16 * BLOCK_BYTES });
  await site.start();
  await using renewing = await site.connect();
  const ids = await renewing.client.create(renewing.root, "ids");
  if (typeof ids === "number") throw new Error(`create: ${ids}`);
  const end = performance.now() + 8_000;
  let readBytes = 0;
  const readers = Array.from({ length: 4 }, async (_, reader) => {
    await using share = await site.connect();
    const file = await share.find(PATHS[0]);
    for (let block = reader * 100; performance.now() < end; block = (block + 1) % 400) {
      await share.client.read(file, BigInt(block * BLOCK_BYTES), BLOCK_BYTES);
      readBytes += BLOCK_BYTES;
    }
  });
  const tookMs: number[] = [];
  while (performance.now() < end) {
    const startedAt = performance.now();
    expect(await renewing.client.write(ids, 0n, Buffer.alloc(512, tookMs.length), FILE_SYNC)).toBeInstanceOf(Buffer);
    tookMs.push(performance.now() - startedAt);
    await delay(100);
  }
  await Promise.all(readers);
  expect(readBytes).toBeGreaterThan(100 * BLOCK_BYTES);
  // sanlock gives each renewal 10 s.
  const slowestFirst = tookMs.toSorted((a, b) => b - a);
  expect(slowestFirst[Math.floor(tookMs.length / 20)]).toBeLessThan(1000);
  expect(slowestFirst[0]).toBeLessThan(5000);
});
