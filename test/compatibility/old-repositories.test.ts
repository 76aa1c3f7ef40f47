import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, onTestFinished, test } from "vitest";

import { Repository, type RepositorySecret, restoreToTarget, verifyRepository } from "@ovault/core";
import type { DigestName } from "@ovault/core/internal/blocks/digests/chunk-digest";
import { FilesystemStore } from "@ovault/destination-filesystem";
import { MemoryTarget } from "@ovault/testkit";

import { formOf } from "./repository-form.ts";
import { secrets } from "./secrets.ts";
import { type ExpectedDisk, writeRepository } from "./write-repository.ts";

const { signal } = new AbortController();

/** Repositories as releases have left them: directories beside this file, with what was backed up into them as JSON. */
const fixtures: readonly (readonly [name: string, digest: DigestName, secrets: readonly RepositorySecret[]])[] = [
  ["v1-plain", "sha-256", []],
  ["v2-encrypted", "sha-256", secrets],
  ["v3-plain", "blake3", []],
  ["v3-encrypted", "blake3", secrets],
];

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-old-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A copy that may be written to. */
async function openCopy(name: string): Promise<FilesystemStore> {
  const directory = await temporaryDirectory();
  await cp(join(import.meta.dirname, name), directory, { recursive: true });
  return await FilesystemStore.open(directory);
}

async function expectedDisks(name: string): Promise<readonly ExpectedDisk[]> {
  const { disks }: { readonly disks: readonly ExpectedDisk[] } = JSON.parse(
    await readFile(join(import.meta.dirname, `${name}.json`), "utf8"),
  );
  return disks;
}

/** All disks of all points, restored. */
async function restoredDisks(repository: Repository): Promise<readonly ExpectedDisk[]> {
  const { points, damaged } = await repository.points.list(signal);
  expect(damaged).toEqual([]);
  const disks: ExpectedDisk[] = [];
  for (const point of points) {
    for (const record of point.disks) {
      const { logicalBytes } = record.stats;
      const target = new MemoryTarget(record.disk.id, logicalBytes);
      await restoreToTarget({ point, record, target, store: repository, taps: [], signal });
      disks.push({ mode: record.mode, logicalBytes, sha256: createHash("sha256").update(target.bytes).digest("hex") });
    }
  }
  return disks;
}

describe.each(fixtures)("the repository %s", (name, digest, opens) => {
  const open = (store: FilesystemStore, secret = opens.at(-1)): Promise<Repository> =>
    Repository.open(store, { secret, signal });

  test("restores as it was backed up, and verifies clean", async () => {
    const repository = await open(await openCopy(name));
    expect(await restoredDisks(repository)).toEqual(await expectedDisks(name));
    expect((await verifyRepository(repository, { signal })).damage).toEqual([]);
  });

  test("restores without its index objects", async () => {
    const store = await openCopy(name);
    for await (const { key } of store.list("index/", { signal })) await store.delete(key, { signal });
    expect(await restoredDisks(await open(store))).toEqual(await expectedDisks(name));
  });

  test("is written today in the form in which it was written then", async () => {
    const store = await FilesystemStore.open(await temporaryDirectory());
    expect(await writeRepository(store, opens, digest)).toEqual(await expectedDisks(name));
    const then = await openCopy(name);
    expect(await formOf(store, await open(store))).toEqual(await formOf(then, await open(then)));
  });
});

test.each(secrets)("the encrypted repository opens with its $kind", async (secret) => {
  const repository = await Repository.open(await openCopy("v2-encrypted"), { secret, signal });
  expect((await repository.points.list(signal)).points.length).toBe(2);
});
