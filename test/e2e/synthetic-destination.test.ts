import { execFile } from "node:child_process";
import { open, readdir, readFile, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import type { ImageSpaceReport } from "@ovault/core";
import type { ListedPoint } from "@ovault/operations";
import { mountReflinkDisk, type ReflinkDisk } from "@ovault/test-support/reflink-disk";

import { PracticeSite } from "../support/practice-site.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;

let place: ReflinkDisk | undefined;
let site: PracticeSite;
beforeAll(async () => {
  place = await mountReflinkDisk();
  site = await PracticeSite.start({
    vms: { web01: [{ format: "qcow2", bytes: 16 * MIB }], db01: [{ format: "raw", bytes: 4 * MIB }] },
  });
  await configure({});
});
afterAll(async () => {
  if (place !== undefined) await run("chattr", ["-R", "-i", place.directory]);
  await place?.dispose();
  await site.stop();
});
beforeEach((context) => {
  if (place === undefined) context.skip("no XFS can be mounted here");
});

function directory(): string {
  return join(place?.directory ?? "", "ovault");
}

/** A repository beside it, to show what is not for whole images. */
async function configure(settings: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<void> {
  await site.configure(({ destinations, ...rest }) => ({
    ...rest,
    destinations: {
      images: { type: "synthetic", directory: directory(), ...settings },
      other: destinations.main,
      ...more,
    },
    defaults: { destination: "images" },
  }));
}

async function write(vm: string, seed: string, offset: number, length: number): Promise<void> {
  await site.lab.write(vm, "0", { kind: "random", seed, offset, length });
}

async function points(): Promise<readonly ListedPoint[]> {
  return JSON.parse(await site.succeed("points", "--json")) as readonly ListedPoint[];
}

async function newest(): Promise<ListedPoint | undefined> {
  return (await points()).at(-1);
}

/** The first disk of a machine as QEMU sees it now. */
async function view(vm: string): Promise<Buffer> {
  const file = site.file("view.raw");
  const [disk] = site.lab.vms.find(({ name }) => name === vm)?.disks ?? [];
  await site.lab.view(disk?.id ?? "", file);
  return await readAndRemove(file);
}

async function restored(point: string | undefined, from = "images"): Promise<Buffer> {
  const file = site.file("restored.raw");
  await site.succeed("restore", point ?? "", "--from", from, "--disk", "0", "--to-file", file);
  return await readAndRemove(file);
}

async function readAndRemove(file: string): Promise<Buffer> {
  const bytes = await readFile(file);
  await rm(file);
  return bytes;
}

/** The raw disks of all points. */
async function images(): Promise<readonly string[]> {
  const files = await readdir(join(directory(), "images"), { recursive: true });
  return files.filter((file) => file.endsWith("disk.raw")).map((file) => join(directory(), "images", file));
}

async function freeBytes(): Promise<number> {
  await run("sync", ["-f", directory()]);
  const { bavail, bsize } = await statfs(directory());
  return bavail * bsize;
}

test("destination init makes the place once, and doctor knows it", async () => {
  expect(await site.succeed("destination", "init", "images")).toContain("images: new place for whole images");
  expect(await site.succeed("destination", "init", "images")).toContain("images: existing place for whole images");
  expect((await site.ovault("doctor")).stdout).toMatch(/images: repository +writable, 0 recovery points/);
});

test("full and incremental backups are whole images; every one of them restores, whichever goes", async () => {
  const views: Buffer[] = [];
  const backUp = async (vm: string, ...options: readonly string[]): Promise<void> => {
    views.push(await view(vm));
    await site.succeed("backup", vm, ...options);
  };
  await write("web01", "1", 0, 6 * MIB);
  await write("db01", "2", MIB, MIB);
  await backUp("web01");
  await write("web01", "3", 2 * MIB, MIB);
  await backUp("web01");
  await backUp("db01");
  const made = await points();
  expect(made.map(({ vm, disks }) => `${vm.name} ${disks[0]?.mode}`)).toEqual([
    "web01 full",
    "web01 incremental",
    "db01 full",
  ]);
  expect(await images()).toHaveLength(3);
  for (const [at, { id }] of made.entries()) expect((await restored(id)).equals(views[at] ?? Buffer.of())).toBe(true);
  expect(await site.succeed("verify")).toContain("3 points");
  await site.succeed("forget", made[0]?.id ?? "");
  expect(await images()).toHaveLength(2);
  expect((await points()).map(({ id }) => id)).toEqual(made.slice(1).map(({ id }) => id));
  expect((await restored(made[1]?.id)).equals(views[1] ?? Buffer.of())).toBe(true);
  await site.succeed("restore", "web01@latest", "--as", "web02");
  expect((await view("web02")).equals(views[1] ?? Buffer.of())).toBe(true);
});

test("damage is found where it is and known from then on; other points stay right, and so is the next backup", async () => {
  const [point] = await points();
  const [file = ""] = (await images()).filter((path) => path.includes(point?.id ?? "nowhere"));
  await run("chattr", ["-i", file]);
  const handle = await open(file, "r+");
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, 3 * MIB);
  await handle.write(Buffer.of(Number(byte[0]) ^ 1), 0, 1, 3 * MIB);
  await handle.close();
  const { exitCode, stdout } = await site.ovault("verify", "--json");
  expect(exitCode).toBe(5);
  expect(JSON.parse(stdout)).toMatchObject({
    points: 2,
    damage: [{ point: point?.id, disk: "web01_Disk1", offset: 3 * MIB, length: MIB }],
    repairable: false,
  });
  expect((await site.ovault("verify", point?.id ?? "")).stdout).toContain("cannot be repaired");
  expect((await site.ovault("verify", "db01@latest")).exitCode).toBe(0);
  const restore = site.fail("restore", "web01@latest", "--disk", "0", "--to-file", site.file("damaged"));
  expect((await restore).exitCode).toBe(5);
  expect((await points()).map(({ lostBytes }) => lostBytes)).toEqual([MIB, 0]);
  expect(await site.succeed("show", point?.id ?? "")).toContain("lost");
  const now = await view("web01");
  await site.succeed("backup", "web01");
  const next = await newest();
  expect(next?.disks).toMatchObject([{ mode: "full", reason: `the last point, ${point?.id}, has lost data` }]);
  expect((await restored(next?.id)).equals(now)).toBe(true);
  await site.succeed("forget", point?.id ?? "");
  expect(await readdir(join(directory(), "objects"), { recursive: true })).not.toContainEqual(
    expect.stringMatching(/^lost\/.+\/.+\/./),
  );
});

test("what only a repository has is refused with the reason", async () => {
  for (const command of [["prune"], ["repair"], ["key", "list", "images"], ["verify", "--sample", "5%"]]) {
    const { exitCode, message, hint } = await site.fail(...command);
    expect([command[0], exitCode]).toEqual([command[0], 2]);
    expect(message).toMatch(/whole images/);
    expect(hint).not.toBe("");
  }
});

test("points are copied to a repository, to other images and back, and restore from everywhere", async () => {
  await configure({}, { more: { type: "synthetic", directory: join(place?.directory ?? "", "more") } });
  await site.succeed("destination", "init", "more");
  const made = await points();
  const bytes = new Map<string, Buffer>();
  for (const { id } of made) bytes.set(id, await restored(id));
  for (const [from, to] of [
    ["images", "other"],
    ["other", "more"],
    ["more", "images"],
  ] as const) {
    const copies = JSON.parse(await site.succeed("copy", "--all", "--from", from, "--to", to, "--json")) as unknown[];
    const outcome = to === "images" ? "present" : "copied";
    expect(copies).toMatchObject(made.map(({ id }) => ({ point: id, copyId: id, outcome, error: null })));
    for (const { id } of made) expect((await restored(id, to)).equals(bytes.get(id) ?? Buffer.of())).toBe(true);
  }
  expect(await site.succeed("copy", "--all", "--newer", "--from", "other", "--to", "more")).toContain(
    "nothing to copy",
  );
  expect((await site.fail("copy", "--all", "--to", "images")).message).toContain("the same");
  expect(await site.succeed("verify", "--from", "more")).toContain(`${made.length} points`);
  const show = await site.succeed("show", "web01@latest", "--from", "more");
  expect(show).toMatch(/copied from +[0-9a-f-]{36}/);
});

test("settings of repositories are refused, and a destination that is read-only stays as it is", async () => {
  for (const settings of [{ compression: "zstd" }, { limits: { concurrency: 2 } }, { lockDays: 7 }]) {
    await configure(settings);
    const { exitCode, message } = await site.fail("points");
    expect([exitCode, message]).toEqual([2, expect.stringContaining(Object.keys(settings)[0] ?? "")]);
  }
  await configure({ readOnly: true });
  const made = await points();
  expect(made.length).toBeGreaterThan(1);
  const { exitCode, message } = await site.fail("backup", "db01");
  expect([exitCode, message]).toEqual([4, expect.stringContaining("read-only")]);
  expect((await site.fail("forget", made[0]?.id ?? "")).message).toContain("read-only");
  expect(await points()).toEqual(made);
  await configure({});
});

test("a disk that is full in the middle of a run costs nothing: forget makes room there, and the next run works", async () => {
  const made = await points();
  const before = await images();
  const filler = join(place?.directory ?? "", "filler");
  await write("web01", "17", 0, 16 * MIB);
  const free = await freeBytes();
  await run("fallocate", ["--length", String(free - 6 * MIB), filler]);
  const { exitCode, message, hint } = await site.fail("backup", "web01", "--full");
  expect([exitCode, message, hint]).toEqual([4, expect.stringMatching(/full|no space/i), expect.stringMatching(/./)]);
  expect(await points()).toEqual(made);
  expect(await images()).toEqual(before);
  expect(await readdir(join(directory(), "drafts"))).toEqual([]);
  expect(await site.succeed("verify")).toContain(`${made.length} points`);
  const oldest = made.find(({ vm }) => vm.name === "web01");
  await run("fallocate", ["--length", String(free), filler]).catch(() => undefined);
  await site.succeed("forget", oldest?.id ?? "");
  expect((await images()).length).toBe(before.length - 1);
  await rm(filler);
  const now = await view("web01");
  await site.succeed("backup", "web01");
  expect((await restored((await newest())?.id)).equals(now)).toBe(true);
});

test("space says what the file system has, and what the images of each point refer to", async () => {
  const made = await points();
  const report = JSON.parse(await site.succeed("space", "--json")) as ImageSpaceReport;
  const room = report.fileSystem ?? { totalBytes: 0, usedBytes: 0, freeBytes: 0 };
  expect(room.totalBytes).toBeGreaterThan(100 * MIB);
  expect(room.usedBytes + room.freeBytes).toBeLessThanOrEqual(room.totalBytes);
  const found = report.machines.flatMap(({ byPoint }) => byPoint);
  expect(found.map(({ id }) => id).toSorted()).toEqual(made.map(({ id }) => id).toSorted());
  for (const { allocatedBytes, logicalBytes } of found) expect(allocatedBytes).toBeLessThanOrEqual(logicalBytes);
  expect(report.allocatedBytes).toBeGreaterThan(MIB);
  const text = await site.succeed("space");
  for (const { id } of made) expect(text).toContain(id);
  expect(text).toMatch(/free +[0-9.]+ .?i?B/);
});

test("an increment costs what changed", async () => {
  const [file = ""] = await images();
  await write("db01", "9", 0, 4 * MIB);
  await site.succeed("backup", "db01");
  const before = await freeBytes();
  await write("db01", "10", MIB, MIB);
  await site.succeed("backup", "db01");
  expect(before - (await freeBytes())).toBeLessThan(2 * MIB);
  expect((await stat(file)).mode & 0o777).toBe(0o400);
});
