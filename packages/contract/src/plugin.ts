import type { StandardSchemaV1 } from "@standard-schema/spec";

import type { Codec } from "./codec.ts";
import type { ImageStore } from "./image-store.ts";
import type { Manager } from "./manager.ts";
import type { ObjectStore } from "./object-store.ts";
import type { Strategy, StrategyHost } from "./strategy.ts";
import type { RunHooks } from "./run-hooks.ts";

/** The version of these contracts. Core refuses a plugin made for another one at start-up. */
export const API_VERSION = 1;

/** The product of each kind of plugin, and its input besides options. */
export interface PluginKinds {
  destination: { host: PluginHost; product: ObjectStore };
  /** A destination that holds whole disk images instead of objects. */
  "image-destination": { host: PluginHost; product: ImageStore };
  manager: { host: PluginHost & { readonly name: string }; product: Manager };
  strategy: { host: PluginHost & StrategyHost; product: Strategy };
  codec: { host: PluginHost; product: Codec };
  /** Taps the hooks of every run; creates nothing else. */
  hooks: { host: PluginHost; product: (hooks: RunHooks) => void };
}
export type PluginKind = keyof PluginKinds;

export interface PluginHost {
  /** Directory that relative paths in options refer to: the one that holds ovault.yaml. */
  readonly baseDirectory: string;
  /**
   * Turns a secret reference of the configuration (environment, file, command) into its value. Nothing else reads
   * secrets, and the value is never logged.
   */
  readonly secret: (reference: SecretReference) => Promise<string>;
  /** Destinations of both kinds: the plugin must attempt nothing that changes the place. */
  readonly readOnly?: boolean;
  readonly signal: AbortSignal;
}

/** How ovault.yaml refers to a secret, which it never holds itself. */
export type SecretReference = { readonly env: string } | { readonly file: string } | { readonly command: string[] };

export interface Plugin<K extends PluginKind = PluginKind, O = unknown> {
  readonly kind: K;
  readonly name: string;
  readonly apiVersion: number;
  /**
   * Of zod, valibot, arktype or any other library that implements Standard Schema. Must be strict: unknown keys are
   * errors. Messages must not repeat values, because one of them may be a misplaced secret.
   */
  readonly options: StandardSchemaV1<unknown, O>;
  /** Strategies only: the kind of manager it works with. */
  readonly managerKind?: string;
  /**
   * Reads what the options refer to on this node, such as files and secrets, and contacts nothing: a process that reads
   * ovault.yaml again learns so that it cannot be used. Absent: what the schema accepts can be used.
   * @throws ConfigurationError
   * @since 0.2.0
   */
  check?(options: O, host: PluginHost): Promise<void>;
  create(options: O, host: PluginKinds[K]["host"]): Promise<PluginKinds[K]["product"]>;
  /**
   * Destinations of both kinds: makes the place itself (a directory, a bucket) where it is missing. Core calls it
   * when the user sets a destination up, never in a run: an unmounted share must not turn into a local directory.
   */
  prepare?(options: O, host: PluginHost): Promise<void>;
}

/** Gives a plugin its types; the default export of every plugin package. */
export function definePlugin<K extends PluginKind, O>(plugin: Plugin<K, O>): Plugin<K, O> {
  return plugin;
}
