import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { objectStoreChecks } from "@ovault/testkit";

import { runOvault, type OvaultResult } from "@ovault/test-support/ovault/run-ovault";
import { ChildCommand } from "../support/child-command.ts";

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), "ovault-destination-"));
  await writeFile(join(cwd, "ovault.yaml"), "destinations: { nas: { type: filesystem, directory: backup } }");
});
afterEach(() => rm(cwd, { recursive: true, force: true }));

const ovault = (...args: string[]): Promise<OvaultResult> => runOvault(args, { cwd });

/** All files below the destination's directory. */
async function files(): Promise<string[]> {
  const entries = await readdir(join(cwd, "backup"), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

/** A destination plugin of a few lines around the filesystem destination, with these calls replaced. */
async function breakDestination(replaced: string): Promise<void> {
  const real = import.meta.resolve("@ovault/destination-filesystem");
  await writeFile(
    join(cwd, "broken.mjs"),
    `import { setTimeout as sleep } from "node:timers/promises";
     import real from ${JSON.stringify(real)};
     const broken = (store) => ({
       capabilities: store.capabilities,
       put: (key, parts, options) => store.put(key, parts, options),
       get: (key, options) => store.get(key, options),
       stat: (key, options) => store.stat(key, options),
       list: (prefix, options) => store.list(prefix, options),
       delete: (key, options) => store.delete(key, options),
       close: () => store.close(),
       ${replaced}
     });
     const create = async (options, host) => broken(await real.create(options, host));
     export default { ...real, name: "broken", create };`,
  );
  const destination = "destinations: { nas: { type: broken, directory: backup } }";
  await writeFile(join(cwd, "ovault.yaml"), `plugins: [./broken.mjs]\n${destination}\n`);
}

describe("ovault destination init", () => {
  test("makes the place and the repository, once", async () => {
    const first = await ovault("destination", "init", "nas", "--json");
    expect(first).toMatchObject({ exitCode: 0, stderr: "" });
    expect(JSON.parse(first.stdout)).toEqual({
      destination: "nas",
      created: true,
      encrypted: false,
      madeKeyFile: null,
    });
    const again = await ovault("destination", "init");
    expect(again).toMatchObject({ exitCode: 0, stdout: "nas: existing repository\n" });
    expect(await ovault("points")).toMatchObject({ exitCode: 0 });
  });

  test("does not make the parent of the directory", async () => {
    await writeFile(join(cwd, "ovault.yaml"), "destinations: { nas: { type: filesystem, directory: mnt/backup } }");
    const { exitCode, stderr } = await ovault("destination", "init");
    expect(stderr).toContain("mnt does not exist");
    expect(exitCode).toBe(4);
  });
});

describe("ovault destination check", () => {
  test("has one line a check, and leaves nothing behind", async () => {
    await mkdir(join(cwd, "backup"));
    await writeFile(join(cwd, "backup", "mine"), "kept");
    const { exitCode, stdout } = await ovault("destination", "check", "nas");
    for (const { name } of objectStoreChecks) expect(stdout).toMatch(new RegExp(`^(passed|skipped) +${name}`, "m"));
    expect(stdout).toMatch(/^skipped .* the store cannot hold objects$/m);
    expect(stdout).toMatch(/^\d+ passed, 0 failed, 2 skipped$/m);
    expect(exitCode).toBe(0);
    expect(await files()).toEqual(["mine"]);
  });

  test("tells what was expected and what came, and fails", async () => {
    await mkdir(join(cwd, "backup"));
    await breakDestination("get: async (key, options) => (await store.get(key, options)).subarray(0, 9),");
    const { exitCode, stdout } = await ovault("destination", "check", "--json");
    const { destination, checks, counts } = JSON.parse(stdout);
    expect(destination).toBe("nas");
    const count = (wanted: string): number =>
      checks.filter(({ status }: { status: string }) => status === wanted).length;
    expect(counts).toEqual({ passed: count("passed"), failed: count("failed"), skipped: 2 });
    expect(counts.failed).toBeGreaterThan(0);
    expect(checks).toContainEqual({
      name: "a range that ends past the object is an integrity error, and its last byte is not",
      status: "failed",
      detail: expect.stringMatching(/^all of it: expected 10 bytes .*, got 9 bytes /),
    });
    expect(exitCode).toBe(8);
    expect(await files()).toEqual([]);
  });

  test("ends in the error of a destination that cannot be used at all", async () => {
    const { exitCode, stderr } = await ovault("destination", "check");
    expect(stderr).toContain("backup does not exist");
    expect(exitCode).toBe(4);
  });

  test("removes what it made when it is interrupted", async () => {
    await mkdir(join(cwd, "backup"));
    // No check begins that could end before it is interrupted.
    await breakDestination(`
      stat: async (key, { signal }) => {
        process.stderr.write("waiting\\n");
        await sleep(1e9, undefined, { signal });
      },`);
    const command = new ChildCommand(["destination", "check"], { cwd, env: {} });
    await command.printed("waiting");
    expect(await files()).not.toEqual([]);
    command.kill("SIGINT");
    const { exitCode, stderr } = await command.ended;
    expect(stderr).toContain("interrupted by SIGINT");
    expect(exitCode).toBe(130);
    expect(await files()).toEqual([]);
  });
});
