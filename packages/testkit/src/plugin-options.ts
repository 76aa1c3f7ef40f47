import type { Plugin, PluginKind } from "@ovault/contract";
import { validateOptions } from "@ovault/core";

/**
 * Validates options as written in ovault.yaml into those that `plugin.create` receives.
 * @throws ConfigurationError as the command line shows it
 */
export async function pluginOptions<O>(plugin: Plugin<PluginKind, O>, written: unknown): Promise<O> {
  return await validateOptions(plugin.options, written, { file: "options", path: [], lineOf: () => undefined });
}
