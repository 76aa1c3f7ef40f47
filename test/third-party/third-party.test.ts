import { execFile } from "node:child_process";
import { cp, glob, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";

import { labConfiguration, startLab } from "@ovault/lab";

import { packKit } from "../../scripts/pack.ts";
import { ChildCommand, type CommandEnd } from "../support/child-command.ts";

const run = promisify(execFile);
const examples = fileURLToPath(new URL("../../examples", import.meta.url));
/** Downloads. */
const PATIENCE_MS = 300_000;

let directory: string;
/** Where the authors of the examples work, and where their user does. */
let authors: string;
let user: string;

const EXAMPLES = ["ovault-destination-sqlite", "ovault-images"] as const;

/** The Node of the tests comes first, whatever npm's own is. */
const env = { ...process.env, PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter) };

async function npm(cwd: string, ...args: readonly string[]): Promise<void> {
  await run("npm", [...args, "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"], { cwd, env });
}

/** The file that `pack` made for a package. */
async function tarball(name: string): Promise<string> {
  for await (const found of glob(`${name}-*.tgz`, { cwd: directory })) return join(directory, found);
  throw new Error(`${name} was not packed`);
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-third-party-"));
  [authors, user] = [join(directory, "authors"), join(directory, "user")];
  const kit = await packKit(directory);
  for (const name of EXAMPLES) {
    const author = join(authors, name);
    await cp(join(examples, name), author, { recursive: true, filter: (path) => !/\/(node_modules|dist)$/.test(path) });
    // Unsaved, because the package asks a registry for them.
    await npm(author, "install", "--no-save", ...kit);
    await npm(author, "pack", "--pack-destination", directory);
  }
  await mkdir(user);
  await npm(user, "install", ...kit, ...(await Promise.all(EXAMPLES.map(tarball))));
}, PATIENCE_MS);
afterAll(() => rm(directory, { recursive: true, force: true }));

test.each([
  ["ovault-destination-sqlite", 20],
  ["ovault-images", 9],
] as const)(
  "its author's own vitest runs the kit on %s",
  async (name, laws) => {
    const author = join(authors, name);
    const vitest = join(author, "node_modules", "vitest", "vitest.mjs");
    await run(process.execPath, [vitest, "run", "--reporter=json", "--outputFile=report.json"], { cwd: author, env });
    const { numPassedTests, numFailedTests } = JSON.parse(await readFile(join(author, "report.json"), "utf8"));
    expect(numFailedTests).toBe(0);
    expect(numPassedTests).toBeGreaterThan(laws);
  },
  PATIENCE_MS,
);

test(
  "its user names it in ovault.yaml, sets it up, checks it and keeps backups in it",
  async () => {
    const image = join(directory, "disk.qcow2");
    await run("qemu-img", ["create", "-q", "-f", "qcow2", image, "8M"]);
    const lab = await startLab({
      directory: join(directory, "lab"),
      vms: [{ name: "web01", images: [image] }],
      delayMs: 10,
    });
    try {
      const { lab: engine } = labConfiguration(lab).managers;
      const fromLab = ({ file }: { readonly file: string }) => ({ file: resolve(lab.directory, file) });
      const configuration = {
        plugins: ["ovault-destination-sqlite"],
        managers: { lab: { ...engine, password: fromLab(engine.password), ca: fromLab(engine.ca) } },
        destinations: { here: { type: "sqlite", file: "objects.db" } },
      };
      await writeFile(join(user, "ovault.yaml"), stringify(configuration));
      await lab.write("web01", "0", { kind: "random", seed: "first", offset: 1_000_000, length: 3_000_000 });

      const missing = await ovault("points");
      expect(missing).toMatchObject({ exitCode: 4, stderr: expect.stringMatching(/there is no .*objects\.db/) });
      await succeed("destination", "init", "here");
      expect(await succeed("destination", "check", "here")).toMatch(/ 0 failed/);
      await succeed("backup", "web01");
      await lab.write("web01", "0", { kind: "random", seed: "second", offset: 2_000_000, length: 500_000 });
      await succeed("backup", "web01");
      await succeed("verify", "--all");
      await succeed("restore", "web01@latest", "--disk", "0", "--to-file", "restored.raw", "--format", "raw");
      const view = join(directory, "view.raw");
      await lab.view("web01_Disk1", view);
      expect((await readFile(join(user, "restored.raw"))).equals(await readFile(view))).toBe(true);
    } finally {
      await lab.stop();
    }
  },
  PATIENCE_MS,
);

test(
  "a user of the strategy keeps backups of images that something writes, with its own increments",
  async () => {
    const images = join(directory, "images");
    await mkdir(join(images, "copies"), { recursive: true });
    const file = join(images, "web01.raw");
    const bytes = Buffer.alloc(3 * 1024 * 1024, "the first content of this disk ");
    await writeFile(file, bytes);
    const changes = join(images, "changes.json");
    await writeFile(changes, "[]");
    const configuration = {
      plugins: ["ovault-images/manager", "ovault-images/strategy"],
      managers: { shelf: { type: "images", machines: { web01: [{ source: file, changes }] } } },
      strategies: { images: { copies: join(images, "copies") } },
      destinations: { there: { type: "filesystem", directory: "images-backup" } },
    };
    await writeFile(join(user, "ovault.yaml"), stringify(configuration));
    await succeed("destination", "init", "there");
    await succeed("backup", "web01");
    bytes.fill("changed ", 1024 * 1024 + 100, 1024 * 1024 + 500);
    await writeFile(file, bytes);
    await writeFile(changes, JSON.stringify([{ offset: 1024 * 1024 + 100, length: 400 }]));
    await succeed("backup", "web01");
    const points = JSON.parse(await succeed("points", "--json"));
    expect(JSON.stringify(points)).toContain('"incremental"');
    await succeed("restore", "web01@latest", "--disk", "0", "--to-file", "images.raw", "--format", "raw");
    expect((await readFile(join(user, "images.raw"))).equals(bytes)).toBe(true);
    expect(await readdir(join(images, "copies"))).toEqual([]);
  },
  PATIENCE_MS,
);

async function ovault(...args: readonly string[]): Promise<CommandEnd> {
  return await new ChildCommand(args, { cwd: user, env: {} }).ended;
}

async function succeed(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await ovault(...args);
  if (exitCode !== 0) throw new Error(`ovault ${args.join(" ")} ended with ${exitCode}: ${stderr}\n${stdout}`);
  return stdout;
}
