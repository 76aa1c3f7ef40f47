import { execFile } from "node:child_process";
import { glob, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { OvaultResult } from "@ovault/test-support/ovault/run-ovault";

import { packProgram } from "../../scripts/pack.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;
const root = fileURLToPath(new URL("../..", import.meta.url));

/** A prefix and a home that were empty. */
let directory: string;
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-packed-"));
  await mkdir(join(directory, "home"));
  env = {
    PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
    HOME: join(directory, "home"),
    NODE_DISABLE_COMPILE_CACHE: "1",
  };
  const file = await packProgram(join(directory, "dist"));
  const install = ["install", "--global", "--offline", "--prefix", join(directory, "prefix"), file];
  await run("npm", [...install, "--no-audit", "--no-fund", "--loglevel=error"], { cwd: directory, env });
}, 300_000);
afterAll(async () => {
  await ovault("lab", "stop", "--dir", "lab");
  await rm(directory, { recursive: true });
});

function ovault(...args: readonly string[]): Promise<OvaultResult> {
  const { promise, resolve } = Promise.withResolvers<OvaultResult>();
  const program = join(directory, "prefix", "bin", "ovault");
  const child = execFile(program, args, { cwd: directory, env }, (_, stdout, stderr) =>
    resolve({ exitCode: child.exitCode, stdout, stderr }),
  );
  return promise;
}

async function succeed(...args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await ovault(...args, "--json");
  if (exitCode !== 0) throw new Error(`ovault ${args.join(" ")} ended with ${exitCode}: ${stderr}`);
}

test("installs from one file, with no registry, no home and no checkout", async () => {
  const { version } = JSON.parse(await readFile(join(root, "packages", "cli", "package.json"), "utf8"));
  expect(await ovault("--version")).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: "" });
});

test("what was installed takes a backup of a lab, finds it whole and restores it", async () => {
  await writeFile(join(directory, "disk.raw"), "");
  await truncate(join(directory, "disk.raw"), 8 * MIB);
  await succeed("lab", "start", "--dir", "lab", "--vm", "web01=disk.raw", "--detach");
  await succeed("lab", "write", "--dir", "lab", "web01", "0", "--offset", "1M", "--length", "3M", "--pattern", "0x61");
  const config = ["--config", join("lab", "ovault.yaml")];
  await succeed("backup", "web01", ...config);
  await succeed("verify", "--all", ...config);
  await succeed("restore", "web01@latest", "--disk", "0", "--to-file", "restored.raw", "--format", "raw", ...config);
  const expected = Buffer.alloc(8 * MIB).fill("a", MIB, 4 * MIB);
  expect(expected.equals(await readFile(join(directory, "restored.raw")))).toBe(true);
});

test("its clients of servers load too", async () => {
  await writeFile(join(directory, "secret"), "secret", { mode: 0o600 });
  const file = join(directory, "ovault.yaml");
  const sftp = "{ type: sftp, host: 127.0.0.1, port: 1, user: me, directory: /d, password: { file: secret } }";
  const s3 =
    '{ type: s3, endpoint: "http://127.0.0.1:1", bucket: backup, credentials: { accessKeyId: { file: secret }, secretAccessKey: { file: secret } } }';
  await writeFile(file, `destinations:\n  sftp: ${sftp}\n  s3: ${s3}\n`, { mode: 0o600 });
  // Side by side: each gives its server some seconds to come back.
  const ends = await Promise.all(
    ["sftp", "s3"].map((name) => ovault("points", "--from", name, "--json", "--config", file)),
  );
  for (const { stderr } of ends) expect(JSON.parse(stderr)).toMatchObject({ error: { code: "E_STORE_UNAVAILABLE" } });
});

test("SECURITY.md lists the native parts that are installed, and no package has a script that an installation runs", async () => {
  const modules = join(directory, "prefix", "lib", "node_modules", "@ovault", "cli");
  const native = new Set<string>();
  for await (const file of glob("**/*.node", { cwd: modules })) {
    const [, name = file] = /.*node_modules\/(.+?)-(?:linux|darwin|freebsd)-/.exec(file) ?? [];
    native.add(name);
  }
  const page = await readFile(join(root, "SECURITY.md"), "utf8");
  const listed = [...page.matchAll(/^\| `([^`…]+)-…` /gm)].map(([, name]) => name);
  expect([...native].toSorted()).toEqual(listed.toSorted());
  for await (const file of glob("**/package.json", { cwd: modules })) {
    const { scripts = {} } = JSON.parse(await readFile(join(modules, file), "utf8"));
    for (const name of ["preinstall", "install", "postinstall", "prepare"])
      expect([file, scripts[name]]).toEqual([file, undefined]);
  }
});
