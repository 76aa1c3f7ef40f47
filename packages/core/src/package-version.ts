import { readFileSync } from "node:fs";

let version: string | undefined;

/** Version of @ovault/core, as manifests record it. What is built lies as deep in the package as this source. */
export function packageVersion(): string {
  version ??= (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string })
    .version;
  return version;
}
