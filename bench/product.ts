import { execFile } from "node:child_process";
import { cp, glob, mkdir, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { bundle } from "../scripts/bundle-packages.ts";
import { workDirectory } from "./work-directory.ts";

const run = promisify(execFile);
const workspace = fileURLToPath(new URL("..", import.meta.url));
const imagesPlugin = fileURLToPath(new URL("../examples/ovault-images", import.meta.url));

/** ovault as users have it: built, and installed outside the workspace. */
export interface Product {
  /** A command line of ovault with its own caches. */
  command(...args: readonly string[]): readonly string[];
  /** Paths of plugins, as for `plugins:` of ovault.yaml: image files in place of a manager's disks. */
  readonly imagesPlugins: readonly string[];
}

let built: Promise<Product> | undefined;

/** Builds and installs ovault from the current sources, once for all cases. */
export function product(): Promise<Product> {
  return (built ??= install());
}

interface Manifest {
  readonly name: string;
  /** Absent from packages that are not published. */
  readonly files?: readonly string[];
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly publishConfig?: Readonly<Record<string, unknown>>;
}

async function install(): Promise<Product> {
  await run("npm", ["run", "build"], { cwd: workspace });
  const modules = join(workDirectory, "product", "node_modules");
  await rm(modules, { recursive: true, force: true });
  for await (const manifest of glob(["packages/*/package.json", "examples/ovault-images/package.json"], {
    cwd: workspace,
  })) {
    await installPackage(dirname(join(workspace, manifest)), modules);
  }
  const home = join(workDirectory, "home");
  await mkdir(home, { recursive: true });
  const launcher = join(modules, "@ovault", "cli", "bin", "ovault.js");
  const plugin = join(modules, "ovault-images", "dist");
  // Bundled like the plugins that come with the command line: it stands for one of them.
  await bundle(imagesPlugin, { manager: "src/manager.ts", strategy: "src/strategy.ts" }, plugin);
  const path = `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`;
  return {
    // With TypeScript disabled, Node proves that no source of the workspace is loaded.
    command: (...args) => ["env", `HOME=${home}`, `PATH=${path}`, "NODE_OPTIONS=--no-strip-types", launcher, ...args],
    imagesPlugins: [join(plugin, "manager.js"), join(plugin, "strategy.js")],
  };
}

/** Installs the published files, with the workspace's dependencies of the package. */
async function installPackage(from: string, modules: string): Promise<void> {
  const manifest: Manifest = JSON.parse(await readFile(join(from, "package.json"), "utf8"));
  const { name, files, bin = {}, publishConfig = {} } = manifest;
  if (files === undefined) return;
  const to = join(modules, name);
  await mkdir(to, { recursive: true });
  await writeFile(join(to, "package.json"), JSON.stringify({ ...manifest, ...publishConfig }));
  const published = new Set(await readdir(from));
  for (const file of [...files.filter((one) => published.has(one)), ...Object.values(bin)]) {
    await cp(join(from, file), join(to, file), { recursive: true });
  }
  for (const dependency of Object.keys(manifest.dependencies ?? {})) {
    if (dependency.startsWith("@ovault/")) continue;
    const link = join(to, "node_modules", dependency);
    await mkdir(dirname(link), { recursive: true });
    await symlink(await realpath(join(from, "node_modules", dependency)), link);
  }
}
