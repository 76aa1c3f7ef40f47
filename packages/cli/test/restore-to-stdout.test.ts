import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";

import { Repository } from "@ovault/core";
import { createFilesystemDestination, FilesystemStore } from "@ovault/destination-filesystem";
import { type ModelDisk, sourceOf } from "@ovault/testkit";

import { takePoint } from "@ovault/test-support/repository/take-point";
import { runOvaultIn } from "./run-ovault-in.ts";

const run = promisify(execFile);
const LAUNCHER = fileURLToPath(new URL("../bin/ovault.js", import.meta.url));
const { signal } = new AbortController();
const BLOCK_BYTES = 256 * 1024;
const BLOCKS = 50;
/** Data and zeros in turn, and an end that is no whole block. */
const BYTES = BLOCKS * BLOCK_BYTES + 512;

const bytes = Uint8Array.from({ length: BYTES }, (_, at) =>
  Math.floor(at / BLOCK_BYTES) % 3 === 1 ? 0 : (Math.imul(at >> 6, 0x9e37_79b1) >>> 13) & 0xff,
);
const disk: ModelDisk = { bytes, extents: [{ offset: 0, length: BYTES, kind: "data" }] };

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-stdout-"));
  await createFilesystemDestination(join(directory, "nas"));
  const store = await FilesystemStore.open(join(directory, "nas"));
  await Repository.create(store, { blockBytes: BLOCK_BYTES, signal });
  await takePoint(await Repository.open(store, { signal }), [sourceOf(disk)]);
  const yaml = "destinations:\n  nas: { type: filesystem, directory: nas }\ndefaults: { destination: nas }\n";
  await writeFile(join(directory, "ovault.yaml"), yaml);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const { ovault } = runOvaultIn(() => directory);

async function pointId(): Promise<string> {
  const { data } = await ovault("points");
  return (data as { id: string }[])[0]?.id ?? "";
}

test.each([[[]], [["--json"]]])(
  "the disk goes to stdout and everything else to stderr, with options %j",
  async (options) => {
    const args = ["restore", await pointId(), "--disk", "0", "--to-file", "-", ...options];
    const child = spawn(process.execPath, [LAUNCHER, ...args], { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
    const [stdout, stderr] = await Promise.all([buffer(child.stdout), text(child.stderr)]);
    expect(stdout.equals(bytes)).toBe(true);
    expect(stderr).toContain(options.length > 0 ? '"file": "-"' : "restored");
  },
);

test("a reader that goes away early ends the command, with an exit code and one message", async () => {
  const command = `"$0" "$1" restore "$2" --disk 0 --to-file - | head -c 1000 > /dev/null; echo \${PIPESTATUS[0]}`;
  const args = ["-c", command, process.execPath, LAUNCHER, await pointId()];
  const { stdout, stderr } = await run("bash", args, { cwd: directory });
  expect(stdout.trim()).toBe("4");
  expect(stderr).toMatch(/its reader went away after \d+ of \d+ bytes/);
  expect(stderr).not.toMatch(/^\s+at /m);
});

test("QCOW2 is refused with the reason", async () => {
  const refused = await ovault("restore", await pointId(), "--disk", "0", "--to-file", "-", "--format", "qcow2");
  expect(refused).toMatchObject({ exitCode: 2, data: undefined, stderr: expect.stringMatching(/its tables/) });
});
