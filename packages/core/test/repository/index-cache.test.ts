import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { endianness, tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

import * as fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";

import { CancelledError } from "@ovault/contract";
import { IndexCache, verifyRepository } from "@ovault/core";
import { InterceptedStore, type StoreCall, tally } from "@ovault/testkit";
import { canMount, mountSmallDisk } from "@ovault/test-support/small-disk";
import { never } from "@ovault/test-support/repository/take-point";

import { ChunkIndex } from "../../src/repository/index/chunk-index.ts";
import { decodeDocument, encodeDocument } from "../../src/format/document.ts";
import type { PackListing } from "../../src/repository/packs/pack-listing.ts";
import { LoadedIndex } from "../../src/repository/index/loaded-index.ts";
import { HEADER_BYTES, PackEntries } from "../../src/repository/packs/pack-entries.ts";
import { arbitraryEvents, CachedRepository, openRepository, placesIn } from "../support/cached-repository.ts";
import { idOf, packName } from "../support/index-model.ts";

const TAIL_BYTES = 4;
const some = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-index-cache-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A repository with packs, and the file of its cache. */
async function cachedRepository(): Promise<{ repository: CachedRepository; file: string }> {
  const repository = await CachedRepository.create(await temporaryDirectory());
  await repository.run(some);
  await repository.run([20, 21, 22]);
  const [name] = await readdir(repository.directory);
  if (name === undefined) throw new Error("there is no cache");
  return { repository, file: join(repository.directory, name) };
}

/** A pack that no whole index object lists is read, and not relied on. */
function withoutState(places: readonly string[]): string[] {
  return places.map((place) => place.replace(/"state":"[a-z]*"/, ""));
}

test("a repository is the same with its cache as without, whatever was stored, pruned and lost meanwhile", async () => {
  const directory = await temporaryDirectory();
  await fc.assert(
    fc.asyncProperty(arbitraryEvents, async (events) => {
      const repository = await CachedRepository.create(directory);
      for (const happen of events) {
        await happen(repository);
        const expected = await repository.places({ cached: false });
        expect(await repository.places({ cached: true })).toEqual(expected);
      }
      expect(repository.notes).toEqual([]);
    }),
    { numRuns: 40 },
  );
});

test("index objects that are damaged cost no chunk, whether they were cached before or not", async () => {
  const directory = await temporaryDirectory();
  await fc.assert(
    fc.asyncProperty(arbitraryEvents, fc.array(fc.nat(), { maxLength: 3 }), async (events, hits) => {
      const repository = await CachedRepository.create(directory);
      for (const happen of events) await happen(repository);
      const expected = (await repository.places({ cached: true })).map(withoutState);
      const objects = await repository.indexObjects();
      for (const hit of hits) repository.store.objects.set(objects[hit % objects.length]?.key ?? "none", Buffer.of(1));
      for (const cached of [true, false]) {
        const places = (await repository.places({ cached })).map(withoutState);
        const lost = expected.flatMap((before, chunk) =>
          before.filter((place) => places[chunk]?.includes(place) !== true),
        );
        expect(lost).toEqual([]);
      }
    }),
    { numRuns: 40 },
  );
});

test("verify reads index objects that are only remembered, and tells of each that is damaged once", async () => {
  const { repository } = await cachedRepository();
  const [object] = await repository.indexObjects();
  const key = object?.key ?? "none";
  repository.store.objects.set(key, Buffer.of(1));
  for (const cache of [repository.cache(), undefined]) {
    const opened = await openRepository(repository.store, cache);
    const { damage } = await verifyRepository(opened, { signal: never });
    expect(damage.map(({ reason }) => reason)).toEqual([expect.stringContaining(key)]);
  }
});

test("only index objects that are new are read", async () => {
  const { repository } = await cachedRepository();
  const read: string[] = [];
  class Watched extends InterceptedStore {
    protected override async intercept<T>({ kind, key }: StoreCall, work: () => Promise<T>): Promise<T> {
      if (kind === "get" && key.startsWith("index/")) read.push(key);
      return await work();
    }
  }
  const before = await repository.indexObjects();
  await openRepository(new Watched(repository.store), repository.cache());
  expect(read).toEqual([]);
  await repository.run([30, 31], { cached: false });
  await openRepository(new Watched(repository.store), repository.cache());
  const after = await repository.indexObjects();
  expect(read).toEqual(after.map(({ key }) => key).filter((key) => !before.some((object) => object.key === key)));
});

describe("a file that is not what it should be is not used", () => {
  test("any flipped bit, and any cut, is found", async () => {
    const { repository, file } = await cachedRepository();
    const whole = await readFile(file);
    const expected = await repository.places({ cached: false });
    const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    await fc.assert(
      fc.asyncProperty(at, fc.option(fc.nat(7)), async (where, bit) => {
        const position = Math.floor(where * whole.byteLength);
        const harmed = Buffer.from(bit === null ? whole.subarray(0, position) : whole);
        if (bit !== null) harmed[position] = (harmed[position] ?? 0) ^ (1 << bit);
        await writeFile(file, harmed);
        repository.notes.length = 0;
        expect(await repository.places({ cached: true })).toEqual(expected);
        expect(repository.notes).toEqual([expect.stringContaining("the index cache cannot be used")]);
      }),
      { numRuns: 150 },
    );
  });

  test("that of another repository", async () => {
    const { repository, file } = await cachedRepository();
    const { repository: other, file: otherFile } = await cachedRepository();
    await writeFile(file, await readFile(otherFile));
    expect(await repository.places({ cached: true })).toEqual(await repository.places({ cached: false }));
    expect(repository.notes).toEqual([expect.stringContaining("another repository")]);
    expect(await other.places({ cached: true })).toEqual(await other.places({ cached: false }));
  });

  test.each([
    ["a newer release", 2, {}],
    ["a machine with another order of bytes", 1, { endianness: endianness() === "LE" ? "BE" : "LE" }],
    ["a release with other arrays", 1, { shape: { size: 1, slots: 256, packs: { length: 2 ** 50, slots: 256 } } }],
    ["a release with another description", 1, { objects: "none" }],
  ])("that of %s", async (_, version, changes) => {
    const { repository, file } = await cachedRepository();
    const whole = await readFile(file);
    const end = whole.byteLength - TAIL_BYTES;
    const start = end - whole.readUInt32LE(end);
    const description = decodeDocument("index-cache", 1, whole.subarray(start, end), "cache") as object;
    const document = encodeDocument("index-cache", version, { ...description, ...changes });
    const tail = Buffer.alloc(TAIL_BYTES);
    tail.writeUInt32LE(document.byteLength);
    await writeFile(file, Buffer.concat([whole.subarray(0, start), document, tail]));
    expect(await repository.places({ cached: true })).toEqual(await repository.places({ cached: false }));
    expect(repository.notes).toEqual([expect.stringContaining("the index cache cannot be used")]);
  });

  test("something that is no file", async () => {
    const { repository, file } = await cachedRepository();
    await rm(file);
    await mkdir(join(file, "inner"), { recursive: true });
    expect(await repository.places({ cached: true })).toEqual(await repository.places({ cached: false }));
    expect(repository.notes.length).toBeGreaterThan(0);
  });
});

test("what one process found bad is not bad for the next: that is for records of damage to tell", async () => {
  const { repository } = await cachedRepository();
  const opened = await openRepository(repository.store, repository.cache());
  const expected = await placesIn(opened);
  const writer = opened.writer(never);
  const block = new Uint8Array(1024).fill(7);
  const id = await writer.idOf(block);
  await writer.store("data", id, block);
  await writer.finish();
  opened.index.markBad(id, opened.index.find(id)[0]?.pack.name ?? "");
  expect(opened.index.has(id)).toBe(false);
  await opened.close();
  const again = await openRepository(repository.store, repository.cache());
  expect(again.index.has(id)).toBe(true);
  expect(await placesIn(again)).toEqual(expected);
});

test("a cache that has lost much is begun anew", async () => {
  const { repository } = await cachedRepository();
  await repository.prune((pack) => pack === 0);
  await repository.places({ cached: true });
  expect(await readdir(repository.directory)).toEqual([]);
  await repository.places({ cached: true });
  expect((await readdir(repository.directory)).length).toBe(1);
  const opened = await openRepository(repository.store, repository.cache());
  expect(opened.index.packs.length).toBe(1);
});

test("only its owner may read it", async () => {
  const { file } = await cachedRepository();
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test("reading it ends when the caller aborts", async () => {
  const { repository } = await cachedRepository();
  const reason = new CancelledError("enough");
  const opened = await openRepository(repository.store);
  const load = repository.cache().load(opened.settings.id, AbortSignal.abort(reason));
  await expect(load).rejects.toBe(reason);
});

test("drafts of processes that died go after an hour, and a younger one stays", async () => {
  const repository = await CachedRepository.create(await temporaryDirectory());
  const [old, young] = ["old.draft", "young.draft"].map((name) => join(repository.directory, name));
  for (const draft of [old, young]) await writeFile(draft ?? "", "half a cache");
  const longAgo = new Date(Date.now() - 2 * 60 * 60 * 1000);
  await utimes(old ?? "", longAgo, longAgo);
  await repository.run(some);
  expect((await readdir(repository.directory)).filter((name) => name.endsWith(".draft"))).toEqual(["young.draft"]);
});

describe.skipIf(!(await canMount()))("a disk in trouble costs time only", () => {
  test("when it is full", async () => {
    const disk = await mountSmallDisk(1);
    onTestFinished(() => disk.dispose());
    const fill = writeFile(join(disk.directory, "other"), new Uint8Array(2 * 1024 * 1024));
    await expect(fill).rejects.toMatchObject({ code: "ENOSPC" });
    const repository = await CachedRepository.create(join(disk.directory, "cache"));
    await repository.run(some);
    expect(await repository.places({ cached: true })).toEqual(await repository.places({ cached: false }));
    expect(repository.notes).toContainEqual(expect.stringContaining("the index cache was not written"));
    expect(await readdir(join(disk.directory, "cache"))).toEqual([]);
  });

  test("when it is read-only", async () => {
    const disk = await mountSmallDisk(1);
    onTestFinished(() => disk.dispose());
    await disk.remountReadOnly();
    const repository = await CachedRepository.create(join(disk.directory, "cache"));
    await repository.run(some);
    expect(await repository.places({ cached: true })).toEqual(await repository.places({ cached: false }));
    expect(repository.notes).toContainEqual(expect.stringContaining("the index cache was not written"));
  });
});

function packOf(name: number, chunks: readonly number[]): PackListing {
  const place = { offset: HEADER_BYTES, storedBytes: 1, plainBytes: 1, codec: 0 };
  const entries = chunks.map((chunk) => ({ ...place, id: idOf(chunk) }));
  return { name: packName(name), kind: "data", dataEnd: HEADER_BYTES + 1, entries: PackEntries.of(entries) };
}

test("an index that is changed while it is written is not believed later", async () => {
  const directory = await temporaryDirectory();
  const cache = new IndexCache(directory);
  // As many as take several writes.
  const stay = Array.from({ length: 8 }, (_, pack) =>
    packOf(
      pack,
      Array.from({ length: 20_000 }, (__, chunk) => pack * 20_000 + chunk),
    ),
  );
  const goes = packOf(8, [200_000, 200_001]);
  const comes = packOf(9, [200_000, 200_001, 200_002]);
  for (const repository of ["a", "b", "c"]) {
    const { index, loaded } = { index: new ChunkIndex(), loaded: new LoadedIndex() };
    const packs = Uint32Array.from(stay, (pack) => index.add(pack));
    loaded.add("index/a", packs);
    loaded.add("index/b", Uint32Array.of(index.add(goes)));
    index.drop([goes.name]);
    const keeping = cache.keep(repository, { index, loaded });
    // Until something of it is there, of its draft or, when that was quicker, of the whole.
    for (let bytes = 0; bytes === 0;) {
      const names = (await readdir(directory)).filter((name) => name.startsWith(repository));
      const files = await Promise.all(names.map((name) => stat(join(directory, name)).catch(() => ({ size: 0 }))));
      bytes = files.reduce((sum, { size }) => sum + size, 0);
    }
    // Takes the records of the chunks that went.
    index.add(comes);
    await keeping;
    const known = await cache.load(repository, never);
    const found = [7, 200_000, 200_002].map((chunk) => known?.index.find(idOf(chunk)).length ?? 0);
    expect(found).toEqual(known === undefined ? [0, 0, 0] : [1, 0, 0]);
  }
});

describe("several processes with one cache", () => {
  const program = fileURLToPath(new URL("../support/use-index-cache.ts", import.meta.url));
  const id = "8f6b0c1e-3f0e-4c55-9a43-0b6b1f7c9d10";

  function start(directory: string, blocks: readonly number[], rounds: number): ChildProcess {
    const parameters = [program, directory, id, blocks.join(","), String(rounds)];
    return spawn(process.execPath, parameters, { stdio: ["ignore", "pipe", "inherit"] });
  }

  test("see their own store each, however they overtake each other", async () => {
    const directory = await temporaryDirectory();
    // Copies of one repository that have gone different ways.
    const children = [[1, 2, 3], [3, 4], [5]].map((blocks) => start(directory, blocks, 15));
    const codes = await Promise.all(
      children.map(async (child) => {
        child.stdout?.resume();
        return (await once(child, "close"))[0] as unknown;
      }),
    );
    expect(codes).toEqual([0, 0, 0]);
    expect((await readdir(directory)).filter((name) => name !== id)).toEqual([]);
  });

  test("are not harmed by one that is killed", async () => {
    const directory = await temporaryDirectory();
    for (let round = 0; round < 3; round += 1) {
      const child = start(directory, [1, 2, 3], 1e6);
      const lines = createInterface({ input: child.stdout ?? process.stdin });
      for await (const line of lines) if (Number(line) >= round * 2) break;
      child.kill("SIGKILL");
      tally("kills");
      if (child.signalCode === null) await once(child, "exit");
      const repository = await CachedRepository.create(directory, id);
      await repository.run([1, 2, 3, 4]);
      expect(await repository.places({ cached: true })).toEqual(await repository.places({ cached: false }));
    }
  });
});
