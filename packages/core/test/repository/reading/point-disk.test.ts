import * as fc from "fast-check";
import { expect, test } from "vitest";

import { hasCode } from "@ovault/contract";
import { BlockCache, type PointDisk, type Repository } from "@ovault/core";
import { arbitraryDisk, MemoryStore, type ModelDisk, sourceOf } from "@ovault/testkit";

import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, takePoint } from "@ovault/test-support/repository/take-point";

const BLOCK_BYTES = 1024;
/** Kind of a pack of chunks of blocks, in its tenth byte. */
const DATA = 1;

async function open(disk: ModelDisk, options: { cacheBlocks?: number; readAheadBytes?: number } = {}) {
  const store = new MemoryStore();
  const repository = await smallRepository(store, BLOCK_BYTES);
  const point = await takePoint(repository, [sourceOf(disk)]);
  const [record] = point.disks;
  if (record === undefined) throw new Error("the point has a disk");
  const { cacheBlocks = 8, readAheadBytes = 4 * BLOCK_BYTES } = options;
  const cache = new BlockCache(cacheBlocks * BLOCK_BYTES, BLOCK_BYTES);
  const openAgain = (from: Repository) => from.openDisk(point, record, { cache, readAheadBytes, signal: never });
  return { store, repository, cache, openAgain, reader: await openAgain(repository) };
}

/** All data, so that every block is a chunk of its own. */
function distinctBlocks(count: number, tail = 0): ModelDisk {
  const bytes = Uint8Array.from({ length: count * BLOCK_BYTES + tail }, (_, at) => (at * 31 + (at >> 8) * 7) & 0xff);
  return { bytes, extents: [{ offset: 0, length: bytes.byteLength, kind: "data" }] };
}

async function read(reader: PointDisk, offset: number, length: number, signal = never): Promise<Buffer> {
  const buffer = Buffer.alloc(length, 0xee);
  await reader.readInto(offset, buffer, signal);
  return buffer;
}

test("any read at any place gives the bytes of the disk, however small the cache, and many at once", async () => {
  const fraction = fc.noBias(fc.nat(999_999)).map((millionths) => millionths / 1e6);
  await fc.assert(
    fc.asyncProperty(
      arbitraryDisk(),
      fc.array(fc.record({ at: fraction, length: fraction }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 0, max: 8 }),
      async (disk, wanted, cacheBlocks, aheadBlocks) => {
        const { reader } = await open(disk, { cacheBlocks, readAheadBytes: aheadBlocks * BLOCK_BYTES });
        const size = disk.bytes.byteLength;
        const reads = wanted.map(async ({ at, length }) => {
          const offset = Math.floor(at * size);
          const bytes = Math.floor(length * (size - offset));
          const found = await read(reader, offset, bytes);
          expect(Buffer.compare(found, disk.bytes.subarray(offset, offset + bytes))).toBe(0);
        });
        await Promise.all(reads);
      },
    ),
    { numRuns: 60 },
  );
});

test("extents cover the disk, and what they call zero is zero", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryDisk(), async (disk) => {
      const { reader } = await open(disk);
      let end = 0;
      let last: string | undefined;
      for await (const { offset, length, kind } of reader.extents(never)) {
        expect(offset).toBe(end);
        expect(length).toBeGreaterThan(0);
        expect(kind).not.toBe(last);
        const isZero = disk.bytes.subarray(offset, offset + length).every((byte) => byte === 0);
        expect(isZero || kind === "data").toBe(true);
        end = offset + length;
        last = kind;
      }
      expect(end).toBe(disk.bytes.byteLength);
    }),
    { numRuns: 60 },
  );
});

test("extents of a range are those of the disk, cut to it", async () => {
  const bytes = new Uint8Array(10 * BLOCK_BYTES + 100);
  bytes.fill(7, 3 * BLOCK_BYTES, 5 * BLOCK_BYTES);
  const { reader } = await open({ bytes, extents: [{ offset: 0, length: bytes.byteLength, kind: "data" }] });
  const range = { offset: 2 * BLOCK_BYTES + 10, length: 2 * BLOCK_BYTES };
  expect(await Array.fromAsync(reader.extentsOf(range, never))).toEqual([
    { offset: range.offset, length: BLOCK_BYTES - 10, kind: "zero" },
    { offset: 3 * BLOCK_BYTES, length: BLOCK_BYTES + 10, kind: "data" },
  ]);
});

test("reads in order fetch ahead, and each block is asked for once", async () => {
  const disk = distinctBlocks(64);
  const { store, reader } = await open(disk, { cacheBlocks: 64, readAheadBytes: 16 * BLOCK_BYTES });
  let asked = 0;
  const get = store.get.bind(store);
  store.get = async (key, options) => {
    if (key.startsWith("packs/")) asked += 1;
    return await get(key, options);
  };
  for (let at = 0; at < disk.bytes.byteLength; at += 512) {
    expect(Buffer.compare(await read(reader, at, 512), disk.bytes.subarray(at, at + 512))).toBe(0);
  }
  // One page of the map, a few single blocks until the order shows, then several blocks with each request.
  expect(asked).toBeLessThan(32);
});

test("a reader that gives up leaves its buffer alone and does not disturb another one", async () => {
  const disk = distinctBlocks(4);
  const { store, reader } = await open(disk, { readAheadBytes: 0 });
  // The page of the map is here from now on.
  await read(reader, 3 * BLOCK_BYTES, 1);
  const gate = Promise.withResolvers<void>();
  const get = store.get.bind(store);
  store.get = async (key, options) => {
    const found = await get(key, options);
    await gate.promise;
    return found;
  };
  const impatient = new AbortController();
  const given = Buffer.alloc(100, 0xee);
  const first = reader.readInto(10, given, impatient.signal);
  const second = read(reader, 10, 100);
  await new Promise(setImmediate);
  impatient.abort(new Error("gave up"));
  await expect(first).rejects.toThrow("gave up");
  gate.resolve();
  expect(Buffer.compare(await second, disk.bytes.subarray(10, 110))).toBe(0);
  await new Promise(setImmediate);
  expect(given.every((byte) => byte === 0xee)).toBe(true);
});

test("a lost block fails the reads that touch it, and no other", async () => {
  const disk = distinctBlocks(16);
  const { store, reader } = await open(disk, { cacheBlocks: 4 });
  const [key = ""] =
    [...store.objects].filter(([name, pack]) => name.startsWith("packs/") && pack[9] === DATA)[0] ?? [];
  store.objects.delete(key);
  const outcomes: string[] = [];
  for (let block = 0; block < 16; block += 1) {
    const at = block * BLOCK_BYTES;
    const outcome = await read(reader, at, BLOCK_BYTES).then(
      (found) => (found.equals(disk.bytes.subarray(at, at + BLOCK_BYTES)) ? "read" : "wrong"),
      (error: unknown) => (hasCode(error, "E_INTEGRITY") ? "lost" : String(error)),
    );
    outcomes.push(outcome);
  }
  expect([...new Set(outcomes)].toSorted()).toEqual(["lost", "read"]);
});

test("what lies outside the disk is refused, and a closed disk reads nothing", async () => {
  const { reader } = await open(distinctBlocks(2, 100));
  await expect(read(reader, 2 * BLOCK_BYTES, 101)).rejects.toThrow("do not lie in it");
  await expect(read(reader, -1, 1)).rejects.toThrow("do not lie in it");
  expect(await read(reader, 2 * BLOCK_BYTES, 100)).toHaveLength(100);
  await reader.close();
  await expect(read(reader, 0, 1)).rejects.toThrow("the disk was closed");
});

test("closing one disk does not disturb another that shares its cache", async () => {
  const disk = distinctBlocks(8);
  const { repository, openAgain, reader } = await open(disk);
  const other = await openAgain(repository);
  const reads = [read(reader, 0, 8 * BLOCK_BYTES).catch(() => undefined), read(other, 0, 8 * BLOCK_BYTES)] as const;
  await reader.close();
  await reads[0];
  expect(Buffer.compare(await reads[1], disk.bytes)).toBe(0);
});
