import { definePlugin } from "@ovault/core";
import type { Plugin } from "@ovault/core";
import { ovirtManager } from "@ovault/ovirt";

import { optionsSchema } from "./options.ts";
import type { ChangedBlockTrackingOptions } from "./options.ts";
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
