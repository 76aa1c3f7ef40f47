import type { Plugin, PluginKind } from "@ovault/core";

type Loader = () => Promise<{ readonly default: Plugin }>;

/** The plugins that come with ovault; each kind is loaded when the first of it is needed. */
const LOADERS: Readonly<Record<PluginKind, readonly Loader[]>> = {
  destination: [
    () => import("@ovault/destination-filesystem"),
    () => import("@ovault/destination-s3"),
    () => import("@ovault/destination-sftp"),
  ],
  manager: [() => import("@ovault/ovirt")],
  // In order of preference among equals.
  strategy: [
    () => import("@ovault/strategy-changed-block-tracking"),
    () => import("@ovault/strategy-image-transfer"),
    () => import("@ovault/strategy-disk-attachment"),
  ],
  codec: [],
  hooks: [],
};

export async function loadBuiltInPlugins(kind: PluginKind): Promise<readonly Plugin[]> {
  const modules = await Promise.all(LOADERS[kind].map((load) => load()));
  return modules.map((module) => module.default);
}
