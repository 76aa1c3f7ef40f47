import { definePlugin, type Plugin } from "@ovault/contract";
import { ovirtManager } from "@ovault/ovirt";

import { optionsSchema, type ImageTransferOptions } from "./options.ts";
import { ImageTransferStrategy, STRATEGY_NAME } from "./strategy.ts";

export { ImageTransferStrategy, STRATEGY_NAME } from "./strategy.ts";
export type { ImageTransferOptions } from "./options.ts";

const plugin: Plugin<"strategy", ImageTransferOptions> = definePlugin({
  kind: "strategy",
  name: STRATEGY_NAME,
  apiVersion: 1,
  managerKind: "ovirt",
  options: optionsSchema,
  create: async (options, host) => new ImageTransferStrategy(ovirtManager(host.manager), options),
});
export default plugin;
