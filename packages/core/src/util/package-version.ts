import { readFileSync } from "node:fs";

let version: string | undefined;

/** Version of @ovault/core, as manifests record it. */
export function packageVersion(): string {
  version ??= (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string })
    .version;
  return version;
}
