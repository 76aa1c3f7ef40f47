/**
 * Reads a disk of a recovery point in a directory, and does nothing with it, as a process of its own:
 *
 *     read-point.ts DIRECTORY reader|restore
 *
 * `reader` reads through a PointDisk, in order and then 4 KiB at random, cold and cached; `restore` is the pipeline of a restore
 * into nothing.
 */
import type { RecoveryPoint } from "@ovault/contract";
import { BlockCache, Repository, restoreToTarget } from "@ovault/core";
import { FilesystemStore } from "@ovault/destination-filesystem";

const REQUEST_BYTES = 1024 * 1024;
/** Requests under way, as `qemu-img convert` has them. */
const LANES = 8;
const SMALL_BYTES = 4096;
const SMALL_READS = 400;

const [directory = "", how = "reader"] = process.argv.slice(2);
const { signal } = new AbortController();
const repository = await Repository.open(await FilesystemStore.open(directory), { signal });
const point = (await repository.points.list(signal)).points.at(-1);
const record = point?.disks[0];
if (point === undefined || record === undefined) throw new Error("there is no disk of a point");
const { logicalBytes } = record.stats;
const figures = how === "restore" ? await restore(point) : await read(point);
await repository.close();
process.stdout.write(`${JSON.stringify({ figures })}\n`);

async function restore(of: RecoveryPoint): Promise<Readonly<Record<string, number>>> {
  const startedAt = performance.now();
  const target = {
    diskId: record?.disk.id ?? "",
    logicalBytes,
    maxWrites: 8,
    write: () => Promise.resolve(),
    zero: () => Promise.resolve(),
    flush: () => Promise.resolve(),
  };
  if (record !== undefined) await restoreToTarget({ point: of, record, target, store: repository, taps: [], signal });
  return { "s without start-up": (performance.now() - startedAt) / 1000 };
}

async function read(of: RecoveryPoint): Promise<Readonly<Record<string, number>>> {
  const data = await dataOf(of);
  const startedAt = performance.now();
  await inOrder(of, data);
  const seconds = (performance.now() - startedAt) / 1000;
  const places = Array.from({ length: SMALL_READS }, (_, number) => placeIn(data, (number * 0.618034) % 1));
  const cold = await atRandom(of, places);
  return { "s without start-up": seconds, ...cold };
}

type Ranges = readonly { readonly offset: number; readonly length: number }[];

async function open(of: RecoveryPoint, cacheBytes = 64 * 1024 * 1024) {
  if (record === undefined) throw new Error("there is no disk");
  const cache = new BlockCache(cacheBytes, repository.settings.blockBytes);
  return await repository.openDisk(of, record, { cache, signal });
}

async function dataOf(of: RecoveryPoint): Promise<Ranges> {
  const disk = await open(of);
  const extents = await Array.fromAsync(disk.extents(signal));
  await disk.close();
  return extents.filter(({ kind }) => kind === "data");
}

/** Like a client that copies what is not zero. */
async function inOrder(of: RecoveryPoint, data: Ranges): Promise<void> {
  const disk = await open(of);
  const requests = data
    .flatMap(({ offset, length }) =>
      Array.from({ length: Math.ceil(length / REQUEST_BYTES) }, (_, number) => {
        const at = offset + number * REQUEST_BYTES;
        return { at, bytes: Math.min(REQUEST_BYTES, offset + length - at) };
      }),
    )
    .values();
  const lane = async (): Promise<void> => {
    const buffer = new Uint8Array(new SharedArrayBuffer(REQUEST_BYTES));
    for (const { at, bytes } of requests) await disk.readInto(at, buffer.subarray(0, bytes), signal);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  await disk.close();
}

function placeIn(data: Ranges, fraction: number): number {
  let left = Math.floor(fraction * data.reduce((sum, { length }) => sum + length, 0));
  for (const { offset, length } of data) {
    if (left < length) return Math.floor((offset + left) / SMALL_BYTES) * SMALL_BYTES;
    left -= length;
  }
  return 0;
}

async function atRandom(of: RecoveryPoint, places: readonly number[]): Promise<Readonly<Record<string, number>>> {
  const disk = await open(of, SMALL_READS * 1024 * 1024);
  const buffer = new Uint8Array(SMALL_BYTES);
  const round = async (): Promise<number> => {
    const took: number[] = [];
    for (const at of places) {
      const startedAt = performance.now();
      await disk.readInto(at, buffer, signal);
      took.push(performance.now() - startedAt);
    }
    return took.toSorted((a, b) => a - b)[Math.floor(took.length / 2)] ?? 0;
  };
  const cold = await round();
  await round();
  const warm = await round();
  await disk.close();
  return { "ms for 4 KiB, cold": cold, "us for 4 KiB, cached": warm * 1000 };
}
