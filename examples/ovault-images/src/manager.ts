import { definePlugin, type Plugin } from "@ovault/contract";

import { ImagesManager, MANAGER_KIND } from "./images-manager.ts";
import { imagesOptions, type ImagesOptions } from "./options.ts";

const plugin: Plugin<"manager", ImagesOptions> = definePlugin({
  kind: "manager",
  name: MANAGER_KIND,
  apiVersion: 1,
  options: imagesOptions,
  create: async (options, { name }) => new ImagesManager(name, options),
});
export default plugin;
