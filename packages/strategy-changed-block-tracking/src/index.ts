import { definePlugin, type Plugin } from "@ovault/contract";
import { ovirtManager } from "@ovault/ovirt";

import { optionsSchema, type ChangedBlockTrackingOptions } from "./options.ts";
import { ChangedBlockTracking, STRATEGY_NAME } from "./strategy.ts";

export { ChangedBlockTracking, STRATEGY_NAME } from "./strategy.ts";
export type { ChangedBlockTrackingOptions } from "./options.ts";

const plugin: Plugin<"strategy", ChangedBlockTrackingOptions> = definePlugin({
  kind: "strategy",
  name: STRATEGY_NAME,
  apiVersion: 1,
  managerKind: "ovirt",
  options: optionsSchema,
  create: async (options, host) => new ChangedBlockTracking(ovirtManager(host.manager), options),
});
export default plugin;
