import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

import { type Plugin, rolldown } from "rolldown";

/** Have native code, which stays where it is. */
const NATIVE = ["@napi-rs/blake-hash", "koffi"];

const asIfInPlace: Plugin = {
  name: "as-if-in-place",
  resolveId: (source, importer) =>
    NATIVE.includes(source) && importer !== undefined
      ? { id: createRequire(importer).resolve(source), external: "absolute" }
      : null,
  transform: (code, id) => code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href)),
};

/** Bundles a program and its imports to one file, which loads several times as fast as hundreds of files. */
export async function bundleProgram(program: string, file: string): Promise<void> {
  await using bundle = await rolldown({ input: program, platform: "node", plugins: [asIfInPlace] });
  await bundle.write({ file, format: "esm", codeSplitting: false });
}
