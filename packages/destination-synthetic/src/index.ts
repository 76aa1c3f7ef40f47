import { resolve } from "node:path";

import { definePlugin, type Plugin } from "@ovault/contract";

import { createSyntheticDestination } from "./create-destination.ts";
import { options, type SyntheticOptions } from "./options.ts";
import { SyntheticStore } from "./synthetic-store.ts";

export type { SyntheticOptions } from "./options.ts";
export { SyntheticStore, type SyntheticStoreOptions } from "./synthetic-store.ts";

const plugin: Plugin<"image-destination", SyntheticOptions> = definePlugin({
  kind: "image-destination",
  name: "synthetic",
  apiVersion: 1,
  options,
  create: ({ directory }, { baseDirectory, readOnly = false }) =>
    SyntheticStore.open(resolve(baseDirectory, directory), { readOnly }),
  prepare: ({ directory }, host) => createSyntheticDestination(resolve(host.baseDirectory, directory)),
});
export default plugin;
