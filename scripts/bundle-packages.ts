import { glob, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { rolldown } from "rolldown";

const packages = fileURLToPath(new URL("../packages", import.meta.url));

/** Modules that are started or imported by file name; common code goes to shared files. */
const ENTRIES = {
  contract: { index: "src/index.ts" },
  core: { index: "src/index.ts", "block-worker": "src/blocks/workers/block-worker.ts" },
  ovirt: { index: "src/index.ts" },
  cli: { index: "src/index.ts", main: "src/main.ts" },
} as const;

export type Bundled = keyof typeof ENTRIES;

/** Packages whose classes and state the command line shares with installed plugins: one copy each. */
const SHARED = ["@ovault/contract", "@ovault/core", "@ovault/ovirt"];

/** Dependencies with native parts, which stay where npm installs them, by the package that has them. */
export const NATIVE = { core: ["@napi-rs/blake-hash", "koffi"], cli: ["ssh2"] } as const;

/**
 * Bundles a package, with its imports other than bundles, to a few files instead of many hundreds: loading those takes
 * most of a command's start-up time. Dynamic imports go to separate files.
 * @param directory `dist` of the package; other JavaScript at its top is removed
 */
export function bundlePackage(name: Bundled, directory: string): Promise<void> {
  return bundle(join(packages, name), ENTRIES[name], directory);
}

/** The same for a package elsewhere. @param input names of files of its `dist`, and their sources */
export async function bundle(cwd: string, input: Readonly<Record<string, string>>, directory: string): Promise<void> {
  for await (const stale of glob("*.js", { cwd: directory })) await rm(join(directory, stale));
  await using bundled = await rolldown({
    cwd,
    input,
    platform: "node",
    // What the oldest Node in `engines` knows: without `using`.
    transform: { target: "es2024" },
    external: [...SHARED, ...Object.values(NATIVE).flat()],
  });
  // All in one folder, for modules that find their neighbours by `import.meta.url`.
  await bundled.write({ dir: directory, entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" });
}

if (import.meta.main) {
  for (const name of ["contract", "core", "ovirt", "cli"] as const)
    await bundlePackage(name, join(packages, name, "dist"));
}
