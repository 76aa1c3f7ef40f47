import { definePlugin, type Plugin } from "@ovault/contract";

export { type Authentication, HostKeyError } from "@ovault/ssh";

import { createSftpDestination } from "./create-destination.ts";
import { openPool } from "./open-pool.ts";
import { options, type SftpOptions } from "./options.ts";
import { settingsOf } from "./sftp-settings.ts";
import { SftpStore } from "./sftp-store.ts";

export { createSftpDestination } from "./create-destination.ts";
export type { SftpOptions } from "./options.ts";
export type { SftpSettings } from "./sftp-settings.ts";
export { SftpStore } from "./sftp-store.ts";

const plugin: Plugin<"destination", SftpOptions> = definePlugin({
  kind: "destination",
  name: "sftp",
  apiVersion: 1,
  options,
  check: async (chosen, host) => await (await openPool(await settingsOf(chosen, host))).close(),
  create: async (chosen, host) => await SftpStore.open(await settingsOf(chosen, host), host.signal),
  prepare: async (chosen, host) => await createSftpDestination(await settingsOf(chosen, host), host.signal),
});
export default plugin;
