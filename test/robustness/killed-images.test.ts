import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { copyPoints, FileLedger, type Ledger, readOnly } from "@ovault/core";
import { FilesystemStore } from "@ovault/destination-filesystem";
import synthetic from "@ovault/destination-synthetic";
import { BlockSite } from "@ovault/test-support/repository/block-site";
import { reopen } from "@ovault/test-support/repository/small-repository";
import { mountReflinkDisk, type ReflinkDisk } from "@ovault/test-support/reflink-disk";

import { bundleProgram } from "../support/bundle-program.ts";
import { ImagesOnDisk } from "../support/images-on-disk.ts";
import { countSteps, forEachKill, killAt } from "../support/killed-child.ts";
import { layDown, temporaryDirectory } from "../support/objects-on-disk.ts";

const run = promisify(execFile);
const { signal } = new AbortController();
const PROGRAM = "work-on-images.ts";
const host = { baseDirectory: "/", secret: () => Promise.reject(new Error("there are no secrets here")), signal };

/** Of a machine whose blocks are known, new, and zeros. */
const NEXT = { vm: "vm-1", blocks: [9, 2, 0, 7, 10, 11] };

let place: ReflinkDisk | undefined;
let parent: string;
let ledger: Ledger;
beforeAll(async () => {
  place = await mountReflinkDisk();
});
afterAll(async () => {
  if (place !== undefined) await run("chattr", ["-R", "-i", place.directory]);
  await place?.dispose();
});
beforeEach(async (context) => {
  if (place === undefined) return context.skip("no XFS can be mounted here");
  parent = await mkdtemp(join(place.directory, "images-"));
  ledger = await FileLedger.open(await temporaryDirectory());
});

/** Two points of one machine, and one of another. */
async function threePoints(): Promise<ImagesOnDisk> {
  const directory = join(parent, "origin");
  await synthetic.prepare?.({ directory }, host);
  const site = await ImagesOnDisk.open(directory, ledger);
  await site.backUp({ vm: "vm-1", blocks: [1, 2, 3, 4, 0, 5] });
  await site.backUp({ vm: "vm-1", blocks: [1, 2, 6, 4, 0, 5] });
  await site.backUp({ vm: "vm-2", blocks: [3, 7, 8] });
  return site;
}

/** Lays down a repository with two more points of the first machine. Answers its directory. */
async function repositoryBeside(): Promise<string> {
  const directory = await temporaryDirectory();
  const source = await BlockSite.open();
  await source.backUp({ vm: "vm-1", blocks: [1, 2, 3, 4, 5, 6] });
  await source.backUp(NEXT);
  await layDown(source.store, directory);
  await source.close();
  return directory;
}

async function copyAll(from: string, { images }: ImagesOnDisk) {
  const repository = await reopen(readOnly(await FilesystemStore.open(from), "readOnly"));
  const { points } = await repository.points.list(signal);
  return await copyPoints({ from: repository, to: images, points, signal });
}

/** Kills the program at each of its steps, on a clone of its own, and calls back with what is left. */
async function atEachStep(
  origin: ImagesOnDisk,
  [what, ...rest]: readonly [string, ...string[]],
  check: (struck: ImagesOnDisk, step: number) => Promise<void>,
): Promise<number> {
  const directory = await temporaryDirectory();
  const killable = (name: string) => ({ program: PROGRAM, args: [what, join(parent, name), ...rest], directory });
  await origin.cloneTo(join(parent, "unharmed"));
  const steps = await countSteps(killable("unharmed"));
  await forEachKill({ steps, kills: steps }, async (kill, step) => {
    const name = `killed-${kill}`;
    await origin.cloneTo(join(parent, name));
    await killAt(killable(name), step);
    await check(await ImagesOnDisk.open(join(parent, name), ledger), step);
  });
  return steps;
}

test.each([
  ["an incremental backup", { tracks: true }],
  ["a backup that compares", { tracks: false }],
  ["a full backup", { full: true }],
])(
  "kill -9 at every step of %s costs no point, and the next one removes what is left",
  { timeout: 240_000 },
  async (_, how) => {
    const origin = await threePoints();
    const points = await origin.visible();
    const steps = await atEachStep(origin, ["backup", JSON.stringify({ ...NEXT, ...how })], async (struck) => {
      expect(await struck.visible()).toEqual(expect.arrayContaining([...points]));
      expect(await struck.broken()).toEqual([]);
      const next = await struck.backUp({ ...NEXT, blocks: [9, 12, 0, 7, 10, 13], ...how });
      expect(await struck.visible()).toEqual(expect.arrayContaining([...points, next.id]));
      expect(await struck.broken()).toEqual([]);
      expect(await struck.left()).toEqual([]);
    });
    expect(steps).toBeGreaterThan(10);
  },
);

test(
  "kill -9 at every step of a forget leaves a whole point or none, and the next backup removes the rest",
  { timeout: 240_000 },
  async () => {
    const origin = await threePoints();
    const [first = "", ...others] = await origin.visible();
    const steps = await atEachStep(origin, ["forget", first], async (struck) => {
      expect(await struck.visible()).toEqual(expect.arrayContaining(others));
      expect(await struck.broken()).toEqual([]);
      await struck.backUp(NEXT);
      expect(await struck.broken()).toEqual([]);
      expect(await struck.left()).toEqual([]);
    });
    expect(steps).toBeGreaterThan(4);
  },
);

test(
  "kill -9 at every step of a copy leaves whole points only, and the next copy does the rest",
  { timeout: 240_000 },
  async () => {
    const origin = await threePoints();
    const points = await origin.visible();
    const repository = await repositoryBeside();
    const steps = await atEachStep(origin, ["copy", repository], async (struck) => {
      expect(await struck.visible()).toEqual(expect.arrayContaining([...points]));
      expect(await struck.broken()).toEqual([]);
      expect((await copyAll(repository, struck)).map(({ error }) => error)).toEqual([undefined, undefined]);
      expect((await struck.visible()).length).toBe(points.length + 2);
      expect(await struck.broken()).toEqual([]);
      expect(await struck.left()).toEqual([]);
    });
    expect(steps).toBeGreaterThan(20);
  },
);

test(
  "several processes back up, copy and forget at once, each its machine in turn, and every point is right",
  { timeout: 120_000 },
  async () => {
    const origin = await threePoints();
    const [first = "", ...others] = await origin.visible();
    const repository = await repositoryBeside();
    const bundle = join(await temporaryDirectory(), "program.mjs");
    await bundleProgram(fileURLToPath(new URL(`../support/${PROGRAM}`, import.meta.url)), bundle);
    const all = [
      ["backup", JSON.stringify(NEXT)],
      ["backup", JSON.stringify({ ...NEXT, blocks: [1, 1, 2, 0, 0, 0] })],
      ["backup", JSON.stringify({ vm: "vm-2", blocks: [5, 7, 8] })],
      ["copy", repository],
      ["forget", first],
    ] as const;
    const codes = await Promise.all(
      all.map(async ([what, argument]) => {
        const args = [bundle, what, origin.directory, argument];
        const [code] = await once(spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] }), "close");
        return code as number | null;
      }),
    );
    expect(codes).toEqual(all.map(() => 0));
    const visible = await origin.visible();
    expect(visible).toEqual(expect.arrayContaining(others));
    expect(visible).not.toContain(first);
    expect(visible.length).toBe(others.length + 5);
    expect(await origin.broken()).toEqual([]);
    await origin.backUp(NEXT);
    expect(await origin.left()).toEqual([]);
  },
);
