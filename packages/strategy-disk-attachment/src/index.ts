import { resolve } from "node:path";

import { definePlugin, type Plugin } from "@ovault/contract";
import { ovirtManager } from "@ovault/ovirt";

import { optionsSchema, type DiskAttachmentOptions } from "./options.ts";
import { DiskAttachmentStrategy, STRATEGY_NAME } from "./strategy.ts";

export { DiskAttachmentStrategy, STRATEGY_NAME } from "./strategy.ts";
export type { DiskAttachmentOptions } from "./options.ts";

const plugin: Plugin<"strategy", DiskAttachmentOptions> = definePlugin({
  kind: "strategy",
  name: STRATEGY_NAME,
  apiVersion: 1,
  managerKind: "ovirt",
  options: optionsSchema,
  create: async (options, { manager, baseDirectory }) => {
    const deviceDirectory = resolve(baseDirectory, options.deviceDirectory);
    return new DiskAttachmentStrategy(ovirtManager(manager), { ...options, deviceDirectory });
  },
});
export default plugin;
