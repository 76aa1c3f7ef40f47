import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

import { defineConfig } from "vitest/config";

// Tests start many processes that run our TypeScript; without this most of their time is its compilation.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(new URL("node_modules/.cache/ovault-tests", import.meta.url));

export default defineConfig({
  test: {
    // Most tests wait for real servers and processes: a machine with two cores, which vitest gives one worker, would idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts", "examples/ovault-images/test/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    globalSetup: [
      "test/support/temporary-files-in-memory.ts",
      "packages/destination-s3/test/support/gateway-on-demand.ts",
    ],
  },
});
