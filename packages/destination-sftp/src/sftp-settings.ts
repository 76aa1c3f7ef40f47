import type { PluginHost } from "@ovault/contract";
import { type ServerSettings, serverSettings } from "@ovault/ssh";

import type { SftpOptions } from "./options.ts";

/** The options with secrets and paths resolved: all that a store needs. Must never be logged. */
export interface SftpSettings extends ServerSettings {
  readonly directory: string;
  readonly connections: number;
  readonly timeoutMs: number;
  /** The store must change nothing, not even to find out what the server can do. */
  readonly readOnly: boolean;
}

/** @throws ConfigurationError when a secret or the agent is missing. */
export async function settingsOf(options: SftpOptions, host: PluginHost): Promise<SftpSettings> {
  const { directory, connections, timeoutMs } = options;
  return {
    ...(await serverSettings(options, host)),
    directory,
    connections,
    timeoutMs,
    readOnly: host.readOnly === true,
  };
}
