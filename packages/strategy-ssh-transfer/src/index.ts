import { definePlugin, type Plugin } from "@ovault/contract";
import { ovirtManager } from "@ovault/ovirt";

import { optionsSchema, type SshTransferOptions } from "./options.ts";
import { SshTransferStrategy, STRATEGY_NAME } from "./strategy.ts";

export { SshTransferStrategy, STRATEGY_NAME } from "./strategy.ts";
export type { SshTransferOptions } from "./options.ts";

const plugin: Plugin<"strategy", SshTransferOptions> = definePlugin({
  kind: "strategy",
  name: STRATEGY_NAME,
  apiVersion: 1,
  managerKind: "ovirt",
  options: optionsSchema,
  create: async (options, host) => new SshTransferStrategy(ovirtManager(host.manager), options, host),
});
export default plugin;
