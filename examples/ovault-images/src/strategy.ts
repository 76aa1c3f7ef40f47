import { resolve } from "node:path";

import { definePlugin, PluginError, type Plugin } from "@ovault/contract";

import { ImagesManager, MANAGER_KIND } from "./images-manager.ts";
import { ImagesStrategy } from "./images-strategy.ts";
import { strategyOptions, type StrategyOptions } from "./options.ts";

const plugin: Plugin<"strategy", StrategyOptions> = definePlugin({
  kind: "strategy",
  name: "images",
  apiVersion: 1,
  options: strategyOptions,
  managerKind: MANAGER_KIND,
  create: async ({ copies }, { manager, baseDirectory }) => {
    if (!(manager instanceof ImagesManager)) {
      throw new PluginError(`the strategy images does not work with managers of kind ${manager.kind}`);
    }
    return new ImagesStrategy(manager, copies === undefined ? {} : { copies: resolve(baseDirectory, copies) });
  },
});
export default plugin;
