import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";

import { labConfiguration, startLab } from "@ovault/lab";

import { packKit } from "../../scripts/pack.ts";
import { ChildCommand, type CommandEnd } from "../support/child-command.ts";
import { printedSteps } from "./printed-steps.ts";

const run = promisify(execFile);
const examples = fileURLToPath(new URL("../../examples", import.meta.url));
const operationsReadme = new URL("../../packages/operations/README.md", import.meta.url);
/** Downloads. */
const PATIENCE_MS = 600_000;

let directory: string;
/** Where the authors of the examples work, side by side with a checkout, and where their user does. */
let authors: { readonly "ovault-destination-sqlite": string; readonly "ovault-images": string };
let user: string;
/** As for a stranger with an empty home; only what npm has downloaded before is there. */
let env: NodeJS.ProcessEnv;

async function npm(cwd: string, ...args: readonly string[]): Promise<void> {
  await run("npm", args, { cwd, env });
}

/** Runs what a page prints, as it is printed; `ovault/` has been packed. */
async function follow(cwd: string, page: string, text: string): Promise<void> {
  await run("bash", ["-e", "-c", await printedSteps(page, text)], { cwd, env });
}

const isSource = (path: string): boolean => !/\/(node_modules|dist)$/.test(path);

async function copyExample(name: keyof typeof authors): Promise<void> {
  await cp(join(examples, name), authors[name], { recursive: true, filter: isSource });
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-third-party-"));
  authors = {
    "ovault-destination-sqlite": join(directory, "ovault-destination-sqlite"),
    "ovault-images": join(directory, "ovault-images"),
  };
  user = join(directory, "try");
  const { stdout: cache } = await run("npm", ["config", "get", "cache"]);
  env = {
    ...process.env,
    // The Node of the tests comes first, whatever npm's own is.
    PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
    HOME: join(directory, "home"),
    npm_config_cache: cache.trim(),
    npm_config_prefer_offline: "true",
    npm_config_audit: "false",
    npm_config_fund: "false",
    npm_config_loglevel: "error",
  };
  await mkdir(join(directory, "home"));
  const checkout = join(directory, "ovault");
  const kit = await packKit(join(checkout, "dist", "kit"));
  await writeFile(join(checkout, "package.json"), JSON.stringify({ scripts: { pack: "ls dist/kit" } }));

  await follow(directory, "docs/writing-a-destination.md", "--no-save");
  await copyExample("ovault-destination-sqlite");
  await follow(authors["ovault-destination-sqlite"], "docs/writing-a-destination.md", "mkdir ../try");

  await copyExample("ovault-images");
  await npm(authors["ovault-images"], "install", "--no-save", ...kit);
  await npm(authors["ovault-images"], "pack", "--pack-destination", directory);
  await npm(user, "install", ...kit, join(directory, "ovault-images-0.1.0.tgz"));
}, PATIENCE_MS);
afterAll(() => rm(directory, { recursive: true, force: true }));

test.each([
  ["ovault-destination-sqlite", 20],
  ["ovault-images", 9],
] as const)(
  "its author's own vitest runs the kit on %s",
  async (name, laws) => {
    const { numPassedTests, numFailedTests } = await runVitest(authors[name]);
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

test(
  "an author of a strategy for oVirt has the bench with the lab",
  async () => {
    const author = authors["ovault-images"];
    await writeFile(join(author, "test", "in-the-lab.test.ts"), IN_THE_LAB);
    expect(await runVitest(author, "in-the-lab")).toMatchObject({ numPassedTests: 1, numFailedTests: 0 });
  },
  PATIENCE_MS,
);

const IN_THE_LAB = `
  import { differences, LabBench, LabSite, WEB_DISKS } from "@ovault/testkit-ovirt";
  import plugin, { ImageTransferStrategy } from "@ovault/strategy-image-transfer";
  import { expect, test } from "vitest";

  test("an increment holds what the guest sees", async () => {
    const { value } = await plugin.options["~standard"].validate({});
    const site = await LabSite.open({ machines: [{ name: "web", disks: WEB_DISKS }] });
    const bench = new LabBench(site, new ImageTransferStrategy(site.manager, value));
    const base = await bench.backup();
    await bench.write(0, { kind: "random", seed: "a", offset: 123_456, length: 100_000 });
    expect(differences(await bench.backup({ base }), await bench.viewAll())).toEqual([]);
    await bench.close();
  }, 60_000);
`;

test(
  "a server backs up with what its author installed, and with plugins that the user installed",
  async () => {
    await follow(directory, "packages/operations/README.md", "mkdir ../my-server");
    const server = join(directory, "my-server");
    const [, example = ""] = /```ts\n([\s\S]*?)```/.exec(await readFile(operationsReadme, "utf8")) ?? [];
    await writeFile(join(server, "server.ts"), example);
    const script = `
      import { backUp, openCurrent } from "./server.ts";
      const { signal } = new AbortController();
      await using current = await openCurrent(${JSON.stringify(join(user, "ovault.yaml"))}, signal);
      await backUp(current, "web01", signal);
    `;
    await writeFile(join(server, "main.ts"), script);
    const { stdout } = await run(process.execPath, ["main.ts"], { cwd: server, env });
    const events = stdout.trim().split("\n");
    expect(JSON.parse(events.at(-1) ?? "")).toMatchObject({ kind: "finished", job: "backup" });
    // Its author's compiler finds the types too.
    const author = authors["ovault-images"];
    await writeFile(join(author, "src", "server.ts"), example);
    await run(process.execPath, [join(author, "node_modules", "typescript", "bin", "tsc"), "--noEmit"], {
      cwd: author,
    });
  },
  PATIENCE_MS,
);

async function runVitest(author: string, ...args: readonly string[]) {
  const vitest = join(author, "node_modules", "vitest", "vitest.mjs");
  const report = ["--reporter=json", "--outputFile=report.json"];
  await run(process.execPath, [vitest, "run", ...args, ...report], { cwd: author, env });
  return JSON.parse(await readFile(join(author, "report.json"), "utf8"));
}

async function ovault(...args: readonly string[]): Promise<CommandEnd> {
  return await new ChildCommand(args, { cwd: user, env: {} }).ended;
}

async function succeed(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await ovault(...args);
  if (exitCode !== 0) throw new Error(`ovault ${args.join(" ")} ended with ${exitCode}: ${stderr}\n${stdout}`);
  return stdout;
}
