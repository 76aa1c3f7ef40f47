import { pathText } from "../config/problems-of.ts";
import { validateOptions } from "../config/validate.ts";
import type { Origin } from "../config/origin.ts";
import {
  aboutOption,
  API_VERSION,
  didYouMean,
  type Plugin,
  type PluginHost,
  type PluginKind,
  type PluginKinds,
  PluginError,
} from "@ovault/contract";

/** Options of one plugin instance, and where they are written. */
export interface PluginOptions {
  readonly options: unknown;
  readonly origin: Origin;
  /** Keys beside these options that are not the plugin's. */
  readonly keysBeside?: readonly string[];
}

/** The plugins of this process, by kind and name. */
export class PluginRegistry {
  readonly #plugins = new Map<string, Plugin>();

  /** @throws PluginError when the name is taken, or the plugin is for another version of the contracts */
  register(plugin: Plugin): void {
    const { kind, name, apiVersion } = plugin;
    if (apiVersion !== API_VERSION) {
      const older = apiVersion < API_VERSION;
      throw new PluginError(
        `the ${kind} plugin "${name}" is made for plugin API ${apiVersion}, this is ${API_VERSION}`,
        {
          context: { kind, name, apiVersion },
          hint: older ? "Install a newer release of the plugin." : "Install a newer release of ovault.",
        },
      );
    }
    const key = keyOf(kind, name);
    if (this.#plugins.has(key)) {
      throw new PluginError(`there are two ${kind} plugins named "${name}"`, {
        context: { kind, name },
        hint: "Remove one of them from `plugins:` in ovault.yaml.",
      });
    }
    this.#plugins.set(key, plugin);
  }

  /** All plugins of a kind, in the order of registration. */
  all<K extends PluginKind>(kind: K): readonly Plugin<K>[] {
    return [...this.#plugins.values()].filter((plugin) => isOfKind(plugin, kind));
  }

  /** @throws PluginError for an unknown name */
  get<K extends PluginKind>(kind: K, name: string): Plugin<K> {
    const plugin = this.#plugins.get(keyOf(kind, name));
    if (plugin !== undefined && isOfKind(plugin, kind)) return plugin;
    throw this.#unknown([kind], name);
  }

  /** The first of these kinds that has a plugin of this name. @throws PluginError when none has */
  kindOf<K extends PluginKind>(kinds: readonly [K, ...K[]], name: string): K {
    const kind = kinds.find((one) => this.#plugins.has(keyOf(one, name)));
    if (kind === undefined) throw this.#unknown(kinds, name);
    return kind;
  }

  #unknown(kinds: readonly [PluginKind, ...PluginKind[]], name: string): PluginError {
    const [kind] = kinds;
    const names = kinds.flatMap((one) => this.all(one).map((known) => known.name));
    return new PluginError(`there is no ${kind} plugin "${name}"${didYouMean(name, names)}`, {
      context: { kind, name },
      hint: `Known: ${names.join(", ") || "none"}. Others are named under \`plugins:\` in ovault.yaml.`,
    });
  }

  /**
   * Checks the options against the plugin's schema, then calls its `create`.
   * @throws ConfigurationError for a bad option, with file, line and path; PluginError for an unknown name
   */
  async create<K extends PluginKind>(
    kind: K,
    name: string,
    { options, origin, keysBeside }: PluginOptions,
    host: PluginKinds[K]["host"],
  ): Promise<PluginKinds[K]["product"]> {
    const plugin = this.get(kind, name);
    const valid = await validateOptions(plugin.options, options, origin, keysBeside);
    return await aboutOption(pathText(origin.path), () => plugin.create(valid, host));
  }

  /** Checks the options, and what they refer to on this node; creates and contacts nothing. @throws as `create` */
  async check(
    kind: PluginKind,
    name: string,
    { options, origin, keysBeside }: PluginOptions,
    host: PluginHost,
  ): Promise<void> {
    const plugin = this.get(kind, name);
    const valid = await validateOptions(plugin.options, options, origin, keysBeside);
    await aboutOption(pathText(origin.path), async () => await plugin.check?.(valid, host));
  }

  /**
   * Lets a destination plugin make its place if it is missing; does nothing if the plugin cannot.
   * @throws as `create`; StoreError
   */
  async prepareDestination(
    kind: "destination" | "image-destination",
    name: string,
    { options, origin, keysBeside }: PluginOptions,
    host: PluginHost,
  ): Promise<void> {
    const plugin = this.get(kind, name);
    await plugin.prepare?.(await validateOptions(plugin.options, options, origin, keysBeside), host);
  }
}

function keyOf(kind: PluginKind, name: string): string {
  return `${kind}:${name}`;
}

function isOfKind<K extends PluginKind>(plugin: Plugin, kind: K): plugin is Plugin<K> {
  return plugin.kind === kind;
}
