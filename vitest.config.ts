import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    // Packages as strangers have them; their tests run where they are installed.
    exclude: [...configDefaults.exclude, "test/third-party/*/test"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    globalSetup: ["packages/destination-s3/test/support/gateway-on-demand.ts"],
  },
});
