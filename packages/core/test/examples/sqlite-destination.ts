import { resolve } from "node:path";

import { z } from "zod";

import { definePlugin, type Plugin } from "@ovault/core";

import { SqliteStore } from "./sqlite-store.ts";

export interface SqliteOptions {
  /** Relative to the directory of ovault.yaml. */
  readonly file: string;
}

const options: z.ZodType<SqliteOptions> = z.strictObject({ file: z.string().min(1) });

const plugin: Plugin<"destination", SqliteOptions> = definePlugin({
  kind: "destination",
  name: "sqlite",
  apiVersion: 1,
  options,
  create: async ({ file }, host) => new SqliteStore(resolve(host.baseDirectory, file)),
});
export default plugin;
