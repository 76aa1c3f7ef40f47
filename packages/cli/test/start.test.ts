import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";

import { loadBuiltInPlugins } from "@ovault/operations/internal/installation/built-in-plugins";
import { runOvault } from "@ovault/test-support/ovault/run-ovault";

import { version } from "../src/version.ts";

const LAUNCHER = fileURLToPath(new URL("../bin/ovault.js", import.meta.url));
const LIST_MODULES = fileURLToPath(new URL("list-modules.ts", import.meta.url));

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "ovault-start-"));
  const engine = `{ type: ovirt, url: "https://127.0.0.1:1/api", user: me, password: { file: password }, ca: { pem: "" } }`;
  await writeFile(
    join(cwd, "ovault.yaml"),
    `managers: { lab: ${engine} }\ndestinations: { nas: { type: filesystem, directory: backup } }\n`,
  );
  await runOvault(["destination", "init"], { cwd });
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

/** The names of the packages that a command loads anything of, Node's own left out. */
async function packagesLoadedBy(...args: readonly string[]): Promise<readonly string[]> {
  const file = join(cwd, "modules");
  const env = { ...process.env, OVAULT_MODULES_FILE: file };
  await promisify(execFile)(process.execPath, ["--import", LIST_MODULES, LAUNCHER, ...args], { cwd, env });
  const addresses = (await readFile(file, "utf8")).split("\n").filter((address) => address.startsWith("file:"));
  return [...new Set(addresses.map(packageOf))].toSorted();
}

function packageOf(address: string): string {
  const installed = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(address)?.[1];
  return installed ?? `@ovault/${/\/packages\/([^/]+)\//.exec(address)?.[1]}`;
}

test("the launcher is a program by itself, with options for Node that it takes", async () => {
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` };
  const { stdout } = await promisify(execFile)(LAUNCHER, ["--version"], { cwd, env });
  expect(stdout.trim()).toBe(version);
});

test.each(["--version", "--help"])("%s loads nothing but the command line", async (option) => {
  expect(await packagesLoadedBy(option)).toEqual(["@ovault/cli", "commander"]);
});

test("a command loads the destination it names, no other, and no client that it does not need", async () => {
  const loaded = await packagesLoadedBy("points");
  expect(loaded).toContain("@ovault/destination-filesystem");
  expect(loaded.filter((name) => /sftp|s3|ssh2|^@aws|^@smithy|undici|ovirt|strategy|lab|testkit/.test(name))).toEqual(
    [],
  );
});

test.each(["destination", "image-destination", "manager", "strategy"] as const)(
  "every built-in %s is found by its name",
  async (kind) => {
    const all = await loadBuiltInPlugins([kind]);
    for (const plugin of all) expect(await loadBuiltInPlugins([kind], plugin.name)).toEqual([plugin]);
    expect(await loadBuiltInPlugins([kind], "constructor")).toEqual(all);
  },
);
