import type { Policy } from "../policies/policy.ts";
import type { DestinationSettings } from "./destination-settings.ts";
import type { Origin } from "./origin.ts";

/** A plugin instance as configured: the plugin and its options. */
export interface PluginEntry {
  readonly name: string;
  /** Name of the plugin. */
  readonly type: string;
  /** Unchecked: the plugin's schema validates them on creation. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly origin: Origin;
}

export interface ManagerEntry extends PluginEntry {
  /** Earlier names, which points and the ledger may still use. */
  readonly formerNames: readonly string[];
}

/** The options exclude core's own settings. */
export interface DestinationEntry extends PluginEntry {
  readonly settings: DestinationSettings;
}

/** The checked content of one ovault.yaml. */
export interface Configuration {
  /** Absolute path of ovault.yaml. */
  readonly file: string;
  /** Origin of the whole file. */
  readonly origin: Origin;
  /** Directory of that file, which relative paths inside it refer to. */
  readonly baseDirectory: string;
  /** No manager has a present or former name of another. */
  readonly managers: ReadonlyMap<string, ManagerEntry>;
  readonly destinations: ReadonlyMap<string, DestinationEntry>;
  /** Filled in if there is only one to choose from. */
  readonly defaults: { readonly manager: string | undefined; readonly destination: string | undefined };
  /** Their managers and destinations exist. */
  readonly policies: ReadonlyMap<string, Policy>;
  /** Package names, or paths that start with `.` or `/`. */
  readonly plugins: readonly string[];
  /** Options of strategies, by name; absent for those that need none. */
  readonly strategies: ReadonlyMap<string, PluginEntry>;
  /** Options of hooks plugins, likewise. */
  readonly hooks: ReadonlyMap<string, PluginEntry>;
  /** Absolute path. Ledger and other state of this node. */
  readonly stateDirectory: string;
}
