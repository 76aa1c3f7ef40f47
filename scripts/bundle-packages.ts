import { glob, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { rolldown } from "rolldown";

const packages = fileURLToPath(new URL("../packages", import.meta.url));

/** What is started or imported by its file name; what these have in common is in files that they share. */
const ENTRIES = {
  contract: { index: "src/index.ts" },
  core: { index: "src/index.ts", "block-worker": "src/blocks/workers/block-worker.ts" },
  ovirt: { index: "src/index.ts" },
  cli: { index: "src/index.ts", main: "src/main.ts" },
} as const;

export type Bundled = keyof typeof ENTRIES;

/** Plugins that are installed beside the command line have classes and state of these in common with it: one copy each. */
const SHARED = ["@ovault/contract", "@ovault/core", "@ovault/ovirt"];

/** Dependencies with native parts, which stay where npm installs them, by the package that has them. */
export const NATIVE = { core: ["@napi-rs/blake-hash", "koffi"], cli: ["ssh2"] } as const;

/**
 * Writes a package, with all that it imports but other bundles, to a few files instead of the many hundreds it comes
 * from: loading those is most of what starting a command costs. What is imported on demand is in files of its own.
 * @param directory `dist` of the package, wherever that is; other JavaScript at its top goes
 */
export function bundlePackage(name: Bundled, directory: string): Promise<void> {
  return bundle(join(packages, name), ENTRIES[name], directory);
}

/** The same for a package of any other place. @param input names of files of its `dist`, and the sources that they come from */
export async function bundle(cwd: string, input: Readonly<Record<string, string>>, directory: string): Promise<void> {
  for await (const stale of glob("*.js", { cwd: directory })) await rm(join(directory, stale));
  await using bundled = await rolldown({
    cwd,
    input,
    platform: "node",
    external: [...SHARED, ...Object.values(NATIVE).flat()],
  });
  // All in one folder: what finds its neighbours by `import.meta.url` finds them there.
  await bundled.write({ dir: directory, entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" });
}

if (import.meta.main) {
  for (const name of ["contract", "core", "ovirt", "cli"] as const)
    await bundlePackage(name, join(packages, name, "dist"));
}
