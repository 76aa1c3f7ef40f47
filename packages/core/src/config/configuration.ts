import type { Policy } from "../policies/policy.ts";
import type { DestinationSettings } from "./destination-settings.ts";
import type { Origin } from "./origin.ts";

/** A plugin instance as configured: which plugin makes it, and from which options. */
export interface PluginEntry {
  readonly name: string;
  /** Name of the plugin. */
  readonly type: string;
  /** Not yet checked: the plugin's schema does that when it is created. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly origin: Origin;
}

export interface ManagerEntry extends PluginEntry {
  /** Under which points and the ledger may still know it. */
  readonly formerNames: readonly string[];
}

/** Core has taken its own settings out of the options. */
export interface DestinationEntry extends PluginEntry {
  readonly settings: DestinationSettings;
}

/** The checked content of one ovault.yaml. */
export interface Configuration {
  /** Absolute path of ovault.yaml. */
  readonly file: string;
  /** Of the whole file. */
  readonly origin: Origin;
  /** Directory of that file; relative paths inside it refer to this. */
  readonly baseDirectory: string;
  /** No name is one that another manager has, or had. */
  readonly managers: ReadonlyMap<string, ManagerEntry>;
  readonly destinations: ReadonlyMap<string, DestinationEntry>;
  /** Already filled in where there is only one to choose from. */
  readonly defaults: { readonly manager: string | undefined; readonly destination: string | undefined };
  /** Their managers and destinations exist. */
  readonly policies: ReadonlyMap<string, Policy>;
  /** Package names, or paths that start with `.` or `/`. */
  readonly plugins: readonly string[];
  /** Options of strategies, by their name; those that need none are not here. */
  readonly strategies: ReadonlyMap<string, PluginEntry>;
  /** Options of hooks plugins, likewise. */
  readonly hooks: ReadonlyMap<string, PluginEntry>;
  /** Absolute path. Ledger and other state of this node. */
  readonly stateDirectory: string;
}
