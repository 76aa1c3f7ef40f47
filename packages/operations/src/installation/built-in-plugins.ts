import type { Plugin, PluginKind } from "@ovault/contract";

type Loader = () => Promise<{ readonly default: Plugin }>;

/** The plugins that come with ovault, by kind and name. */
const LOADERS: Readonly<Record<PluginKind, ReadonlyMap<string, Loader>>> = {
  destination: new Map<string, Loader>([
    ["filesystem", () => import("@ovault/destination-filesystem")],
    ["s3", () => import("@ovault/destination-s3")],
    ["sftp", () => import("@ovault/destination-sftp")],
  ]),
  manager: new Map<string, Loader>([["ovirt", () => import("@ovault/ovirt")]]),
  // Equally suitable ones are preferred in this order.
  strategy: new Map<string, Loader>([
    ["changed-block-tracking", () => import("@ovault/strategy-changed-block-tracking")],
    // Takes no disk unless ovault.yaml has a login for its hosts.
    ["ssh-transfer", () => import("@ovault/strategy-ssh-transfer")],
    ["image-transfer", () => import("@ovault/strategy-image-transfer")],
    ["disk-attachment", () => import("@ovault/strategy-disk-attachment")],
    // For engines that know nothing else. Takes no disk unless ovault.yaml has a folder for it.
    ["export-domain", () => import("@ovault/strategy-export-domain")],
  ]),
  "image-destination": new Map<string, Loader>([["synthetic", () => import("@ovault/destination-synthetic")]]),
  codec: new Map(),
  hooks: new Map(),
};

/** Names of those of a kind; loads nothing. */
export function builtInNames(kind: PluginKind): readonly string[] {
  return [...LOADERS[kind].keys()];
}

/** Loads only the plugin of this name; all of the kinds without a name, or if none has it. */
export async function loadBuiltInPlugins(kinds: readonly PluginKind[], name?: string): Promise<readonly Plugin[]> {
  const named = kinds.flatMap((kind) => (name === undefined ? [] : (LOADERS[kind].get(name) ?? [])));
  const loaders = named.length > 0 ? named : kinds.flatMap((kind) => [...LOADERS[kind].values()]);
  const modules = await Promise.all(loaders.map((load) => load()));
  return modules.map((module) => module.default);
}
