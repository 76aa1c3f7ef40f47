import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { expect, test } from "vitest";

const run = promisify(execFile);
const program = fileURLToPath(new URL("./support/print-imports.ts", import.meta.url));

test("the SDK is loaded when a destination is used, not with the plugin", async () => {
  const { stdout } = await run(process.execPath, [program]);
  const [plugin, used] = stdout.split("--used--");
  expect(plugin).toContain("destination-s3/src/options.ts");
  expect(plugin).not.toContain("@aws-sdk");
  expect(used).toContain("@aws-sdk");
});
