import { definePlugin, PluginError, type Plugin } from "@ovault/contract";
import { z } from "zod";

import { ImagesManager, MANAGER_KIND } from "./images-manager.ts";
import { ImagesStrategy } from "./images-strategy.ts";

type NoOptions = Readonly<Record<string, never>>;

const plugin: Plugin<"strategy", NoOptions> = definePlugin({
  kind: "strategy",
  name: "images",
  apiVersion: 1,
  options: z.strictObject({}),
  managerKind: MANAGER_KIND,
  create: async (_, { manager }) => {
    if (manager instanceof ImagesManager) return new ImagesStrategy(manager);
    throw new PluginError(`the strategy images does not work with managers of kind ${manager.kind}`);
  },
});
export default plugin;
