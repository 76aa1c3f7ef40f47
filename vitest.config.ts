import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

import { defineConfig } from "vitest/config";

// Tests start many processes that run our TypeScript; without this most of their time is its compilation.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(new URL("node_modules/.cache/ovault-tests", import.meta.url));

export default defineConfig({
  test: {
    // Tests spend half of their time waiting for servers and processes: more workers than cores use it.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts", "examples/ovault-images/test/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    globalSetup: [
      "test/support/temporary-files-in-memory.ts",
      "packages/destination-s3/test/support/gateway-on-demand.ts",
    ],
  },
});
