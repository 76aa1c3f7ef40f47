import { glob, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { rolldown, type Plugin } from "rolldown";

const packages = fileURLToPath(new URL("../packages", import.meta.url));

/** What is started by its file name. All that these have in common is in files that they share. */
const ENTRIES = {
  main: join(packages, "cli/src/main.ts"),
  index: join(packages, "cli/src/index.ts"),
  "block-worker": join(packages, "core/src/workers/block-worker.ts"),
};

/** They have native parts, which stay where npm installs them: dependencies of the package itself. */
const INSTALLED = ["lz4-napi", "ssh2"];

/** Reads the package.json of core, which a bundle has not beside it. */
const VERSION_OF_CORE = join(packages, "core/src/util/package-version.ts");

const versionOfCore: Plugin = {
  name: "version-of-core",
  load: {
    filter: { id: VERSION_OF_CORE },
    handler: async () => {
      const manifest: { readonly version: string } = JSON.parse(
        await readFile(join(packages, "core/package.json"), "utf8"),
      );
      return `export const packageVersion = () => ${JSON.stringify(manifest.version)};`;
    },
  },
};

/**
 * Writes the command line, with all that it imports, to a few files instead of the many hundreds it comes from: loading
 * those is most of what starting a command costs. What is imported on demand is in files of its own.
 * @param directory of a package, beside its `package.json` and `bin`; other JavaScript in it goes
 */
export async function bundleCli(directory: string): Promise<void> {
  for await (const stale of glob("*.js", { cwd: directory })) await rm(join(directory, stale));
  await using bundle = await rolldown({
    input: ENTRIES,
    platform: "node",
    external: INSTALLED,
    plugins: [versionOfCore],
  });
  // All in one folder: what finds its neighbours by `import.meta.url` finds them there.
  await bundle.write({ dir: directory, entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" });
}

if (import.meta.main) await bundleCli(join(packages, "cli/dist"));
