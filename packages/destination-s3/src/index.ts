import { definePlugin, type Plugin } from "@ovault/contract";

import { options, type S3Options } from "./options.ts";

export type { S3Credentials, S3Options, ServerSideEncryption } from "./options.ts";

/** Loads the SDK when an S3 destination is used, not when ovault starts. */
const plugin: Plugin<"destination", S3Options> = definePlugin({
  kind: "destination",
  name: "s3",
  apiVersion: 1,
  options,
  check: async (chosen, host) => (await import("./connect.ts")).checkAccess(chosen, host),
  create: async (chosen, host) => (await import("./open-store.ts")).openS3Store(chosen, host),
  prepare: async (chosen, host) => (await import("./prepare-bucket.ts")).prepareBucket(chosen, host),
});
export default plugin;
