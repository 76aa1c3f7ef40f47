import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { Repository } from "@ovault/core";
import { createFilesystemDestination, FilesystemStore } from "@ovault/destination-filesystem";
import { draftsOf, RawFileTarget } from "@ovault/disk-image";
import { sourceOf } from "@ovault/testkit";

import { takePoint } from "@ovault/test-support/repository/take-point";
import { runOvaultIn } from "./run-ovault-in.ts";

const { signal } = new AbortController();
const BYTES = 64 * 1024;
const QCOW2_MAGIC = "QFI\u00fb";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-to-file-"));
  await createFilesystemDestination(join(directory, "nas"));
  const repository = await Repository.create(await FilesystemStore.open(join(directory, "nas")), { signal });
  const disk = sourceOf({
    bytes: new Uint8Array(BYTES).fill(7),
    extents: [{ offset: 0, length: BYTES, kind: "data" }],
  });
  await takePoint(repository, [disk]);
  await writeFile(join(directory, "ovault.yaml"), "destinations:\n  nas: { type: filesystem, directory: nas }\n");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const { ovault } = runOvaultIn(() => directory);

function restoreTo(file: string, ...options: readonly string[]) {
  return ovault("restore", "vm-1@latest", "--disk", "0", "--to-file", file, ...options);
}

test.each([
  ["a.qcow2", [], "qcow2", ""],
  ["B.QCOW2", [], "qcow2", ""],
  ["c.raw", [], "raw", ""],
  ["d.img", [], "raw", ""],
  ["e", ["--format", "qcow2"], "qcow2", ""],
  ["f.img", ["--format", "qcow2"], "qcow2", ""],
  ["g.qcow2", ["--format", "qcow2"], "qcow2", ""],
  ["h.qcow2", ["--format", "raw"], "raw", "h.qcow2 becomes a raw image, and its name says qcow2"],
  ["i.raw", ["--format", "qcow2"], "qcow2", "i.raw becomes a qcow2 image, and its name says raw"],
] as const)("%s with options %j becomes %s", async (file, options, format, warning) => {
  const { data, exitCode, stderr } = await restoreTo(file, ...options);
  expect({ data, exitCode }).toMatchObject({ data: { format }, exitCode: 0 });
  const magic = (await readFile(join(directory, file))).subarray(0, 4).toString("latin1");
  expect(magic === QCOW2_MAGIC).toBe(format === "qcow2");
  expect(stderr).toBe(warning === "" ? "" : `warning: ${warning}\n`);
});

test("what a killed restore to the same file left is named, and stays", async () => {
  const path = join(directory, "killed.raw");
  const killed = await RawFileTarget.create({ path, diskId: "disk", logicalBytes: BYTES });
  const [draft = ""] = await draftsOf(path);
  const { exitCode, stderr } = await restoreTo("killed.raw");
  expect(exitCode).toBe(0);
  expect(stderr).toContain(`warning: ${draft} is left of a restore that was killed`);
  expect(await draftsOf(path)).toEqual([draft]);
  await killed.abort();
});
