import { resolve } from "node:path";

import { definePlugin, type Plugin } from "@ovault/contract";

import { createFilesystemDestination } from "./create-destination.ts";
import { FilesystemStore } from "./filesystem-store.ts";
import { options, type FilesystemOptions } from "./options.ts";

export { createFilesystemDestination } from "./create-destination.ts";
export { newDraftName, removeDraft, removeStaleDrafts } from "./draft.ts";
export { FilesystemStore } from "./filesystem-store.ts";
export { LocalFiles } from "./local-files.ts";
export { type FailedCall, mapSystemError } from "./map-system-error.ts";
export type { FilesystemOptions } from "./options.ts";

const plugin: Plugin<"destination", FilesystemOptions> = definePlugin({
  kind: "destination",
  name: "filesystem",
  apiVersion: 1,
  options,
  create: ({ directory }, host) => FilesystemStore.open(resolve(host.baseDirectory, directory)),
  prepare: ({ directory }, host) => createFilesystemDestination(resolve(host.baseDirectory, directory)),
});
export default plugin;
