import { randomBytes, randomUUID } from "node:crypto";
import { cp, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { afterEach, beforeEach, expect, test } from "vitest";

import { prune } from "@ovault/core";
import type { Handle } from "@ovault/test-support/nfs-client";
import { never } from "@ovault/test-support/repository/take-point";

import { type MountedShare, PATHS, ShareSite } from "./support/share-site.ts";

const FILE_SYNC = 2;
const [NOENT, STALE, TOO_BIG, EXISTS] = [2, 70, 27, 17];
const SECTOR = 512;

let site: ShareSite;
beforeEach(async () => {
  site = await ShareSite.make();
});
afterEach(() => site[Symbol.asyncDispose]());

async function mounted<T>(work: (share: MountedShare) => Promise<T>): Promise<T> {
  await using share = await site.connect();
  return await work(share);
}

function content(): Buffer {
  return Buffer.from(site.disks[0]?.bytes ?? []);
}

async function expectContent(expected: Buffer, path: string = PATHS[0]): Promise<void> {
  await mounted(async (share) => {
    expect((await share.content(await share.find(path))).equals(expected)).toBe(true);
  });
}

test("a disk of a point is a file that can be written; the repository stays as it is", async () => {
  const before = await site.listing();
  await site.start();
  const expected = content();
  await mounted(async (share) => {
    const file = await share.find(PATHS[0]);
    expect((await share.content(file)).equals(expected)).toBe(true);
    const bytes = Buffer.alloc(5000, 7);
    expect(await share.client.write(file, 300_000n, bytes, FILE_SYNC)).toBeInstanceOf(Buffer);
    bytes.copy(expected, 300_000);
    // Committed by the end of the server alone.
    expect(await share.client.write(file, 0n, bytes)).toBeInstanceOf(Buffer);
    bytes.copy(expected, 0);
  });
  await expectContent(expected);
  expect(await site.end()).toBe(0);
  expect(site.stderr).toBe("");
  await site.start();
  await expectContent(expected);
  expect(await site.listing()).toEqual(before);
  expect((await stat(site.share.path)).mode & 0o777).toBe(0o700);
});

test(
  "killed at any moment, it has the same handles and every write that was acknowledged",
  { timeout: 120_000 },
  async () => {
    await site.start();
    const [raw, cow] = await mounted(
      async (share) => [await share.find(PATHS[0]), await share.find(PATHS[1])] as const,
    );
    const sectors = Math.floor(content().length / SECTOR);
    const acknowledged = new Map<number, Buffer>();
    let count = 0;
    for (let round = 0; round < 6; round += 1) {
      const started = round === 0 ? undefined : site.start();
      await started;
      await using share = await site.connect();
      for (const [sector, bytes] of acknowledged) {
        expect(await share.client.read(raw, BigInt(sector * SECTOR), SECTOR)).toEqual(bytes);
      }
      expect(await share.client.status(cow)).toBe(0);
      const writing = writeUntilKilled(share, raw, sectors, acknowledged);
      await delay(100 + Math.random() * 300);
      await site.end("SIGKILL");
      count += await writing;
    }
    expect(count).toBeGreaterThan(20);
  },
);

/** Answers how many writes were acknowledged. Sectors of writes that were not acknowledged are unknown. */
async function writeUntilKilled(
  share: MountedShare,
  file: Handle,
  sectors: number,
  acknowledged: Map<number, Buffer>,
): Promise<number> {
  for (let count = 0; ; count += 1) {
    const several = Array.from({ length: 4 }, () => Math.floor(Math.random() * sectors));
    const written = new Map([...new Set(several)].map((sector) => [sector, randomBytes(SECTOR)]));
    for (const sector of written.keys()) acknowledged.delete(sector);
    try {
      const isSynced = count % 2 === 0;
      for (const [sector, bytes] of written) {
        await share.client.write(file, BigInt(sector * SECTOR), bytes, isSynced ? FILE_SYNC : 0);
      }
      if (!isSynced) await share.client.commit(file);
    } catch {
      return count;
    }
    for (const [sector, bytes] of written) acknowledged.set(sector, bytes);
  }
}

test("killed at any moment of its first start, the next start completes it", { timeout: 120_000 }, async () => {
  for (let kill = 1; kill <= 7; kill += 1) {
    site.spawn();
    await delay(kill * 250);
    await site.end("SIGKILL");
  }
  await site.start();
  await expectContent(content());
  expect(await site.placing()).toEqual([]);
  expect(await site.holds()).toHaveLength(1);
  expect(await readdir(join(site.share.path, "overlays"))).toHaveLength(2);
});

test("a forgotten point outlives prunes without grace while its share is down and up; it goes with the share", async () => {
  const withoutGrace = async (): Promise<unknown> => {
    const repository = await site.repository();
    const report = await prune(repository, { graceMs: 0, signal: never });
    await repository.close();
    return report;
  };
  await site.start();
  await site.end("SIGKILL");
  const repository = await site.repository();
  await repository.points.forget(site.point, never);
  await repository.close();
  const held = { deletedPoints: 0, freedPacks: 0, heldPoints: [{ point: site.point.id, kept: true }] };
  expect(await withoutGrace()).toMatchObject(held);
  await site.start();
  expect(await withoutGrace()).toMatchObject(held);
  await expectContent(content());
  await expect(site.remove()).rejects.toMatchObject({ code: "E_USAGE" });
  await site.end();
  expect(await withoutGrace()).toMatchObject(held);
  await site.remove();
  expect(await site.holds()).toEqual([]);
  expect(await readdir(join(site.directory, "ovault-state", "instant"))).toEqual([]);
  expect(await withoutGrace()).toMatchObject({ deletedPoints: 1, heldPoints: [] });
});

test("hosts treat the file of a disk as any other: mode, size, names", async () => {
  await site.start();
  const expected = content();
  await mounted(async (share) => {
    const { client } = share;
    const directory = await share.find("domain/images/image-0");
    const file = await share.find(PATHS[0]);
    for (const suffix of ["meta", "lease"]) {
      const beside = (await client.create(directory, `volume-0.${suffix}`)) as Handle;
      expect(await client.write(beside, 0n, Buffer.from("CAP=1\n"), FILE_SYNC)).toBeInstanceOf(Buffer);
      expect((await client.read(beside, 0n, 100)).toString()).toBe("CAP=1\n");
    }
    expect(await client.create(directory, "volume-0")).toBe(EXISTS);
    expect(await client.createUnchecked(directory, "volume-0", { mode: 0o660 })).toEqual(file);
    expect((await share.content(file)).equals(expected)).toBe(true);
    // Larger, for a disk that is extended; smaller; and what was cut off does not come back.
    expect(await client.truncate(file, 20n * 1024n ** 2n)).toBe(0);
    const larger = Buffer.concat([expected, Buffer.alloc(20 * 1024 ** 2 - expected.length)]);
    expect((await share.content(file)).equals(larger)).toBe(true);
    expect(await client.truncate(file, 1_000_001n)).toBe(0);
    expect(await client.truncate(file, 3_000_000n)).toBe(0);
    larger.fill(0, 1_000_001);
    expect((await share.content(file)).equals(larger.subarray(0, 3_000_000))).toBe(true);
    expect(await client.write(file, 4_000_000n, Buffer.from("end"), FILE_SYNC)).toBeInstanceOf(Buffer);
    expect(await client.size(file)).toBe(4_000_003n);
    expect(await client.truncate(file, 2n ** 50n)).toBe(TOO_BIG);
    expect(await client.write(file, 2n ** 50n, Buffer.from("end"))).toBe(TOO_BIG);
    expect(await client.rename(directory, "volume-0", directory, "renamed")).toBe(0);
    expect(await client.link(file, directory, "linked")).toBe(0);
    expect(await client.remove(directory, "renamed")).toBe(0);
    expect(await client.size(file)).toBe(4_000_003n);
  });
  await site.end("SIGKILL");
  await site.start();
  const last = await mounted(async (share) => {
    const { client } = share;
    const images = await share.find("domain/images");
    const file = await share.find("domain/images/image-0/linked");
    expect(await client.size(file)).toBe(4_000_003n);
    expect((await client.read(file, 3_999_999n, 10)).toString()).toBe("\0end");
    // As vdsm removes an image.
    expect(await client.rename(images, "image-0", images, "_remove_me_image-0")).toBe(0);
    const directory = await share.find("domain/images/_remove_me_image-0");
    expect(await client.remove(directory, "linked")).toBe(0);
    expect(await client.status(file)).toBe(STALE);
    expect(await client.write(file, 0n, Buffer.from("x"))).toBe(STALE);
    expect(await client.lookup(directory, "linked")).toBe(NOENT);
    return file;
  });
  expect(await readdir(join(site.share.path, "overlays"))).toHaveLength(1);
  await site.end("SIGKILL");
  await site.start();
  await mounted(async (share) => {
    expect(await share.client.status(last)).toBe(STALE);
    await expect(share.find(PATHS[0])).rejects.toThrow(PATHS[0]);
    expect(await share.client.size(await share.find(PATHS[1]))).toBeGreaterThan(0n);
  });
  expect(site.stderr).toBe("");
});

test("a file that replaces the file of a disk is what hosts find", async () => {
  await site.start();
  await mounted(async (share) => {
    const directory = await share.find("domain/images/image-0");
    const file = await share.find(PATHS[0]);
    const other = (await share.client.create(directory, "other")) as Handle;
    await share.client.write(other, 0n, Buffer.from("other"), FILE_SYNC);
    expect(await share.client.rename(directory, "other", directory, "volume-0")).toBe(0);
    expect((await share.content(await share.find(PATHS[0]))).toString()).toBe("other");
    expect(await share.client.status(file)).toBe(STALE);
  });
});

test("a file of a disk that is gone from the tree without a host's call leaves what was written, and the other disks", async () => {
  await site.start();
  await mounted(async (share) => {
    await share.client.write(await share.find(PATHS[0]), 0n, Buffer.from("mine"), FILE_SYNC);
  });
  await site.end();
  await rm(join(site.stage, PATHS[0]));
  await site.start();
  expect(site.stderr).toContain(`the file of ${PATHS[0]} is gone`);
  expect(await readdir(join(site.share.path, "overlays"))).toHaveLength(2);
  await mounted(async (share) => {
    expect(await share.client.size(await share.find(PATHS[1]))).toBeGreaterThan(0n);
  });
});

test("points that are added to the description are shared beside the others, on SIGHUP", async () => {
  await site.start();
  const description = await site.share.description();
  const [first] = description.points;
  const path = "domain/images/again/volume";
  const added = { point: site.point.id, hold: randomUUID(), disks: [{ disk: "disk-0", path, format: "raw" as const }] };
  await site.share.describe({ ...description, points: [...(first ? [first] : []), added] });
  site.signal("SIGHUP");
  await site.printed("reloaded");
  await expectContent(content(), path);
  await mounted(async (share) => {
    await share.client.write(await share.find(path), 0n, Buffer.from("mine"), FILE_SYNC);
  });
  await expectContent(content());
  expect(await site.holds()).toHaveLength(2);
});

test("clients find no way out of what they mount", async () => {
  await site.start();
  await mounted(async ({ client, root }) => {
    expect(await client.lookup(root, "..")).toEqual(root);
    expect((await client.list(root, 0n, 4096)).names.toSorted()).toEqual([".", "..", "domain"]);
  });
});

test("one process serves a share; nothing starts over a copy, or something else in the place of a disk", async () => {
  await site.start();
  const pid = site.pid;
  site.spawn();
  await expect(site.printed("ready")).rejects.toThrow(/served by another process/);
  process.kill(pid, "SIGKILL");
  const { tree } = site.share;
  await rename(tree, `${tree}.old`);
  await cp(`${tree}.old`, tree, { recursive: true });
  site.spawn();
  await expect(site.printed("ready")).rejects.toThrow(/is a copy/);
  await rm(tree, { recursive: true });
  await rename(`${tree}.old`, tree);
  const volume = join(site.stage, PATHS[0]);
  await rename(volume, join(site.directory, "elsewhere"));
  await cp(join(site.directory, "elsewhere"), volume);
  site.spawn();
  await expect(site.printed("ready")).rejects.toThrow(/is another file than was shared/);
});
