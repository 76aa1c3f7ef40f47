// `npm run pack`: what can be installed without a registry, in `dist`.
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { type Bundled, bundlePackage, NATIVE } from "./bundle-packages.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const packages = join(root, "packages");
/** As scripts/bootstrap.mjs has it. */
const PNPM = "pnpm@10.34.8";

/** Our own packages that the command line shares with plugins, beside its own bundle. */
const SHARED = ["contract", "core", "ovirt"] as const;
/** Packages that others build native parts with; their dependants work without. */
const BUILD_ONLY: ReadonlySet<string> = new Set(["cpu-features", "nan"]);
/** Folders of packages that nothing imports: headers, tests with keys of theirs, tools. */
const LEFT_OUT: ReadonlySet<string> = new Set(["vendor", "doc", "examples", "test", "util"]);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly publishConfig?: object;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/**
 * Packs the command line with everything it needs on this kind of machine, native parts included: the installation
 * needs no registry and runs no script. Answers with the file.
 */
export async function packProgram(directory: string): Promise<string> {
  const stage = await mkdtemp(join(tmpdir(), "ovault-pack-"));
  try {
    const bundled = new Map<string, string>();
    for (const name of SHARED) {
      const manifest = await stagePackage(name, join(stage, "node_modules", "@ovault", name));
      bundled.set(manifest.name, manifest.version);
    }
    for (const [name, dependencies] of Object.entries(NATIVE)) {
      for (const dependency of dependencies) {
        await stageForeign(join(packages, name, "node_modules", dependency), join(stage, "node_modules"), bundled);
      }
    }
    const { publishConfig, ...manifest } = await stagePackage("cli", stage);
    await cp(join(packages, "cli", "bin"), join(stage, "bin"), { recursive: true });
    await cp(join(packages, "cli", "README.md"), join(stage, "README.md"));
    await cp(join(root, "LICENSE"), join(stage, "LICENSE"));
    const dependencies = Object.fromEntries([...bundled].toSorted());
    const whole = { ...manifest, ...publishConfig, dependencies, bundleDependencies: Object.keys(dependencies) };
    await writeManifest(stage, whole);
    const [file] = await packWith("npm", ["pack", "--loglevel=error"], { from: stage, to: directory });
    return file;
  } finally {
    await rm(stage, { recursive: true });
  }
}

/**
 * Packs the kit for authors of plugins and servers: every package that is published, except the command line, which has
 * a file of its own. Answers with the files.
 */
export async function packKit(directory: string): Promise<readonly string[]> {
  const roots = ["operations", "testkit-ovirt"].map((name) => join("packages", name));
  await run(join(root, "node_modules", ".bin", "tsc"), ["-b", ...roots], { cwd: root });
  for (const name of SHARED) await bundlePackage(name, join(packages, name, "dist"));
  const filters = ["./packages/*", "!@ovault/cli", "!@ovault/test-support"].flatMap((one) => ["--filter", one]);
  return await packWith("npx", ["--yes", PNPM, ...filters, "pack"], { from: root, to: directory });
}

/** Puts a package of ours somewhere as it is published. */
async function stagePackage(name: Bundled, directory: string): Promise<Manifest> {
  await bundlePackage(name, join(directory, "dist"));
  const manifest = await manifestOf(join(packages, name));
  // The bundle contains these.
  await writeManifest(directory, { ...manifest, ...manifest.publishConfig, dependencies: {}, devDependencies: {} });
  return manifest;
}

/** Copies an installed package with those of its dependencies that exist for this kind of machine. */
async function stageForeign(installed: string, modules: string, bundled: Map<string, string>): Promise<void> {
  const from = await realpath(installed);
  const manifest = await manifestOf(from);
  if (bundled.has(manifest.name)) return;
  bundled.set(manifest.name, manifest.version);
  const to = join(modules, manifest.name);
  const isWanted = (path: string): boolean => !LEFT_OUT.has(path.slice(from.length + 1));
  await cp(from, to, { recursive: true, dereference: true, filter: isWanted });
  const { name, version, dependencies = {}, optionalDependencies = {}, ...rest } = manifest;
  await writeManifest(to, { name, version, ...rest, scripts: {}, dependencies: {}, optionalDependencies: {} });
  const beside = from.slice(0, -name.length);
  for (const dependency of [...Object.keys(dependencies), ...Object.keys(optionalDependencies)]) {
    const isThere = await stat(join(beside, dependency)).then(Boolean, () => false);
    if (isThere && !BUILD_ONLY.has(dependency)) await stageForeign(join(beside, dependency), modules, bundled);
    else if (dependency in dependencies) throw new Error(`${name} needs ${dependency}, which is not installed`);
  }
}

async function manifestOf(directory: string): Promise<Manifest> {
  const manifest: Manifest = JSON.parse(await readFile(join(directory, "package.json"), "utf8"));
  return manifest;
}

async function writeManifest(directory: string, manifest: object): Promise<void> {
  await writeFile(join(directory, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

/** Runs a packer that writes files into the directory; answers with their paths. */
async function packWith(
  program: string,
  args: readonly string[],
  { from, to }: { readonly from: string; readonly to: string },
): Promise<readonly [string, ...string[]]> {
  await mkdir(to, { recursive: true });
  const before = new Set(await readdir(to));
  await run(program, [...args, "--pack-destination", to], { cwd: from });
  const made = (await readdir(to)).filter((file) => file.endsWith(".tgz") && !before.has(file));
  const [first, ...others] = made.map((file) => join(to, file));
  if (first === undefined) throw new Error(`${program} packed nothing in ${from}`);
  return [first, ...others];
}

if (import.meta.main) {
  const dist = join(root, "dist");
  await rm(dist, { recursive: true, force: true });
  const files = [await packProgram(dist), ...(await packKit(join(dist, "kit")))];
  for (const file of files) process.stdout.write(`${file.slice(resolve(root).length + sep.length)}\n`);
  process.stdout.write(`\nnpm install --global ./dist/${basename(files[0] ?? "")}\n`);
}
