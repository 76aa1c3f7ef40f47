import { definePlugin, type Plugin } from "@ovault/contract";
import { ovirtManager } from "@ovault/ovirt";

import { optionsSchema, type ExportDomainOptions } from "./options.ts";
import { resolveStaging } from "./staging/staging-place.ts";
import { ExportDomainStrategy, STRATEGY_NAME } from "./strategy.ts";

export { ExportDomainError, ExportFailedError, StagingError, StagingOwnerError } from "./errors.ts";
export { optionsSchema, type ExportDomainOptions } from "./options.ts";
export * from "./staging/index.ts";
export { ExportDomainStrategy, STRATEGY_NAME } from "./strategy.ts";

const plugin: Plugin<"strategy", ExportDomainOptions> = definePlugin({
  kind: "strategy",
  name: STRATEGY_NAME,
  apiVersion: 1,
  managerKind: "ovirt",
  options: optionsSchema,
  create: async (options, { manager, baseDirectory, stateDirectory }) =>
    new ExportDomainStrategy(ovirtManager(manager), resolveStaging(options, baseDirectory, stateDirectory)),
});
export default plugin;
