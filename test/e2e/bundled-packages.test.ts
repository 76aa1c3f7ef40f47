import { execFile } from "node:child_process";
import { once } from "node:events";
import { cp, glob, mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, expect, test } from "vitest";

import { runOvault, type OvaultResult } from "@ovault/test-support/ovault/run-ovault";

import { type Bundled, bundlePackage, NATIVE } from "../../scripts/bundle-packages.ts";

const packages = fileURLToPath(new URL("../../packages", import.meta.url));

/** What is cached of a package that is gone tomorrow is only in the way. */
const ENV = { NODE_DISABLE_COMPILE_CACHE: "1", AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "key" };

/** Where the packages are installed as they are published, without sources. */
let modules: string;
let cwd: string;
beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), "ovault-bundled-"));
  [modules, cwd] = [join(directory, "node_modules"), join(directory, "work")];
  await mkdir(cwd);
  for (const name of ["contract", "core", "ovirt", "cli"] as const) await install(name);
  await cp(join(packages, "cli", "bin"), join(modules, "@ovault", "cli", "bin"), { recursive: true });
  for (const [name, dependencies] of Object.entries(NATIVE)) {
    for (const dependency of dependencies) {
      await mkdir(dirname(join(modules, dependency)), { recursive: true });
      await symlink(join(packages, name, "node_modules", dependency), join(modules, dependency));
    }
  }
});
afterAll(async () => {
  await ovault("lab", "stop", "--dir", "lab");
  await rm(join(modules, ".."), { recursive: true, force: true });
});

async function install(name: Bundled): Promise<void> {
  const directory = join(modules, "@ovault", name);
  const manifest: { readonly publishConfig: object } = JSON.parse(
    await readFile(join(packages, name, "package.json"), "utf8"),
  );
  await bundlePackage(name, join(directory, "dist"));
  await writeFile(join(directory, "package.json"), JSON.stringify({ ...manifest, ...manifest.publishConfig }));
}

function ovault(...args: readonly string[]): Promise<OvaultResult> {
  const { promise, resolve } = Promise.withResolvers<OvaultResult>();
  const child = execFile(
    process.execPath,
    [join(modules, "@ovault", "cli", "bin", "ovault.js"), ...args],
    { cwd, env: { ...process.env, ...ENV } },
    (_, stdout, stderr) => resolve({ exitCode: child.exitCode, stdout, stderr }),
  );
  return promise;
}

async function succeed(...args: readonly string[]): Promise<unknown> {
  const { exitCode, stdout, stderr } = await ovault(...args, "--json");
  if (exitCode !== 0) throw new Error(`ovault ${args.join(" ")} ended with ${exitCode}: ${stderr}`);
  return JSON.parse(stdout);
}

test("says what the sources say, with every kind of destination", async () => {
  await using service = createServer((_, response) => response.writeHead(403).end()).listen(0, "127.0.0.1");
  await once(service, "listening");
  const { port } = service.address() as AddressInfo;
  await writeFile(join(cwd, "no.key"), "no key", { mode: 0o600 });
  await writeFile(
    join(cwd, "ovault.yaml"),
    `destinations:
  filesystem: { type: filesystem, directory: missing }
  sftp: { type: sftp, host: 127.0.0.1, user: me, directory: /backup, privateKey: no.key, knownHosts: no.key }
  s3: { type: s3, endpoint: "http://127.0.0.1:${port}", bucket: backup, region: none }
  unknown: { type: filsystem }
`,
  );
  const destinations = ["filesystem", "sftp", "s3", "unknown"].map((name) => ["points", "--from", name]);
  for (const command of [["--version"], ["backup", "--help"], ["bakup"], ...destinations]) {
    expect(await ovault(...command)).toEqual(await runOvault(command, { cwd, env: ENV }));
  }
});

test("takes a backup of a lab of its own, finds it whole, and restores it", async () => {
  await writeFile(join(cwd, "disk.raw"), "");
  await truncate(join(cwd, "disk.raw"), 8 * 1024 * 1024);
  await succeed("lab", "start", "--dir", "lab", "--vm", "web01=disk.raw", "--detach");
  await succeed("lab", "write", "--dir", "lab", "web01", "0", "--offset", "1M", "--length", "3M", "--pattern", "0x61");
  const config = ["--config", join("lab", "ovault.yaml")];
  await succeed("destination", "init", ...config);
  await succeed("backup", "web01", ...config);
  await succeed("verify", "--all", ...config);
  const restored = ["--to-file", "restored.raw", "--format", "raw"];
  await succeed("restore", "web01@latest", "--disk", "0", ...restored, ...config);
  const expected = Buffer.alloc(8 * 1024 * 1024).fill("a", 1024 * 1024, 4 * 1024 * 1024);
  expect((await readFile(join(cwd, "restored.raw"))).equals(expected)).toBe(true);
});

test("keeps the names of error classes, by which errors of plugins with their own core are recognised", async () => {
  const bundles = join(modules, "@ovault");
  for await (const file of glob("*/dist/*.js", { cwd: bundles })) {
    expect(await readFile(join(bundles, file), "utf8")).not.toMatch(/^var \w*Error\$\d+ = class/m);
  }
});

test("needs nothing that the oldest Node in `engines` lacks: `using`, and stacks of what is disposed of", async () => {
  const bundles = join(modules, "@ovault");
  const texts = await Array.fromAsync(glob("*/dist/*.js", { cwd: bundles }), (file) =>
    readFile(join(bundles, file), "utf8"),
  );
  expect(texts.length).toBeGreaterThan(4);
  for (const text of texts) expect(text).not.toMatch(/^\s*(?:await )?using \w+ = |new (?:Async)?DisposableStack/m);
});
