import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";

import type { OvaultResult } from "@ovault/test-support/ovault/run-ovault";
import { LabRig } from "./support/lab-rig.ts";

const run = promisify(execFile);
const LAUNCHER = fileURLToPath(new URL("../../packages/cli/bin/ovault.js", import.meta.url));
const VM = "web01";
const MIB = 1 << 20;
const WARNING = /LZ4 library could not be loaded \(liblz4-is-not-here\): LZ4 is decoded without it/g;

let rig: LabRig;
let point: string;
let view: Buffer;
beforeAll(async () => {
  rig = await LabRig.start({ [VM]: [["-f", "qcow2", "16M"]] });
  await rig.lab.write(VM, "0", { offset: 0, length: 6 * MIB, kind: "pattern", pattern: 7 });
  await rig.lab.write(VM, "0", { offset: 3 * MIB, length: MIB, kind: "random", seed: "1" });
  view = await rig.view(`${VM}_Disk1`);
  await rig.json("backup", VM);
  point = (await rig.points())[0]?.id ?? "";
});
afterAll(() => rig.stop());

/** In a process of its own, which cannot load the library. */
async function withoutLibrary(...args: readonly string[]): Promise<OvaultResult> {
  const env = {
    ...process.env,
    OVAULT_CONFIG: join(rig.labDirectory, "ovault.yaml"),
    OVAULT_LIBLZ4: "liblz4-is-not-here",
  };
  const done = await run(process.execPath, [LAUNCHER, ...args], { cwd: rig.directory, env }).catch(
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
  return { exitCode: "code" in done ? done.code : 0, stdout: done.stdout, stderr: done.stderr };
}

async function packs(): Promise<Buffer[]> {
  const directory = join(rig.labDirectory, "repository", "packs");
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name))));
}

describe("where the system has no LZ4 library", () => {
  test("there is something to decode", async () => {
    const storedBytes = (await packs()).reduce((sum, pack) => sum + pack.byteLength, 0);
    expect(storedBytes).toBeLessThan(2 * MIB);
  });

  test("a restore gives the same bytes, and warns once, whatever the number of threads", async () => {
    const file = rig.file("restored.raw");
    const { exitCode, stderr } = await withoutLibrary("restore", point, "--disk", "0", "--to-file", file);
    expect([exitCode, stderr.match(WARNING)?.length]).toEqual([0, 1]);
    expect(stderr).toContain("liblz4-1");
    expect(view.equals(await readFile(file))).toBe(true);
  });

  test("everything is verified", async () => {
    const { exitCode, stderr } = await withoutLibrary("verify", "--all");
    expect([exitCode, stderr.match(WARNING)?.length]).toEqual([0, 1]);
  });

  test("points are copied to a destination that is compressed otherwise", async () => {
    const config = join(rig.labDirectory, "ovault.yaml");
    const configuration = parse(await readFile(config, "utf8"));
    await mkdir(join(rig.labDirectory, "second"));
    configuration.destinations.second = { type: "filesystem", directory: "second", compression: "zstd" };
    await writeFile(config, stringify(configuration), { mode: 0o600 });
    expect(await withoutLibrary("destination", "init", "second")).toMatchObject({ exitCode: 0 });
    expect(await withoutLibrary("copy", point, "--to", "second")).toMatchObject({ exitCode: 0 });
    const file = rig.file("copied.raw");
    const restore = ["restore", point, "--from", "second", "--disk", "0", "--to-file", file];
    expect(await withoutLibrary(...restore)).toMatchObject({ exitCode: 0 });
    expect(view.equals(await readFile(file))).toBe(true);
  });

  test("a backup says what to install before anything is made", async () => {
    const { exitCode, stderr } = await withoutLibrary("backup", VM, "--json");
    expect([exitCode, JSON.parse(stderr).error]).toMatchObject([
      2,
      { code: "E_MISSING_LIBRARY", hint: expect.stringContaining("compression: zstd") },
    ]);
    expect(await rig.points()).toHaveLength(1);
    expect(Object.values(await rig.lab.leftovers()).flat()).toHaveLength(1);
  });
});
