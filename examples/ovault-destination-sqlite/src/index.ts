import { resolve } from "node:path";

import { definePlugin, type Plugin } from "@ovault/contract";

import { options, type SqliteOptions } from "./options.ts";
import { SqliteStore } from "./sqlite-store.ts";

export { SqliteStore } from "./sqlite-store.ts";
export type { SqliteOptions } from "./options.ts";

const plugin: Plugin<"destination", SqliteOptions> = definePlugin({
  kind: "destination",
  name: "sqlite",
  apiVersion: 1,
  options,
  create: async ({ file }, host) => SqliteStore.open(resolve(host.baseDirectory, file)),
  prepare: async ({ file }, host) => SqliteStore.prepare(resolve(host.baseDirectory, file)),
});
export default plugin;
