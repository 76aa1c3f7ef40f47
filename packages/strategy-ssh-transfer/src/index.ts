import { definePlugin, type Plugin } from "@ovault/contract";
import { ovirtManager } from "@ovault/ovirt";

import { Credentials } from "./hosts/credentials.ts";
import { optionsSchema, type SshTransferOptions } from "./options.ts";
import { STRATEGY_NAME } from "./strategy-name.ts";
import { SshTransferStrategy } from "./strategy.ts";

export { STRATEGY_NAME } from "./strategy-name.ts";
export { SshTransferStrategy } from "./strategy.ts";
export type { SshTransferOptions } from "./options.ts";

const plugin: Plugin<"strategy", SshTransferOptions> = definePlugin({
  kind: "strategy",
  name: STRATEGY_NAME,
  apiVersion: 1,
  managerKind: "ovirt",
  options: optionsSchema,
  check: async (options, host) => await new Credentials(options, host).check(),
  create: async (options, host) => await SshTransferStrategy.open(ovirtManager(host.manager), options, host),
});
export default plugin;
