import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { Repository } from "@ovault/core";
import { createFilesystemDestination, FilesystemStore } from "@ovault/destination-filesystem";
import { type ModelDisk, sourceOf } from "@ovault/testkit";

import { takePoint } from "@ovault/test-support/repository/take-point";
import { runOvault } from "@ovault/test-support/ovault/run-ovault";

const { signal } = new AbortController();
const disk: ModelDisk = {
  bytes: new Uint8Array(300_000).fill(7),
  extents: [{ offset: 0, length: 300_000, kind: "data" }],
};

test("the index is kept in the state directory, and a command works as well when that is spoilt", async () => {
  const directory = await mkdtemp(join(tmpdir(), "ovault-index-cache-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await createFilesystemDestination(join(directory, "nas"));
  const repository = await Repository.create(await FilesystemStore.open(join(directory, "nas")), { signal });
  await takePoint(repository, [sourceOf(disk)]);
  await writeFile(join(directory, "ovault.yaml"), "destinations: { nas: { type: filesystem, directory: nas } }\n");

  const points = await runOvault(["points", "--debug"], { cwd: directory });
  expect(points).toMatchObject({ exitCode: 0, stderr: expect.not.stringContaining("index cache") });
  const caches = join(directory, "ovault-state", "index-cache");
  expect(await readdir(caches)).toEqual([repository.settings.id]);

  const file = join(caches, repository.settings.id);
  const whole = await readFile(file);
  await writeFile(file, whole.subarray(0, 100));
  const again = await runOvault(["points", "--debug"], { cwd: directory });
  expect(again).toMatchObject({
    exitCode: 0,
    stdout: points.stdout,
    stderr: expect.stringContaining("nas: the index cache cannot be used"),
  });
  expect(await readFile(file)).toEqual(whole);
});
