import { join } from "node:path";

import {
  chooseEntry,
  Ledger,
  loadConfiguration,
  loadPlugin,
  originBelow,
  PluginRegistry,
  Repository,
  resolveSecret,
  retrying,
  type Codec,
  type Configuration,
  type Manager,
  type ObjectStore,
  type PluginEntry,
  type PluginHost,
  type PluginKind,
  type RunHooks,
  type Strategy,
} from "@ovault/core";

import { loadBuiltInPlugins } from "./built-in-plugins.ts";
import type { CommandContext } from "./command.ts";

/**
 * What one ovault.yaml describes, opened piece by piece as a command needs it, and closed together. Opening a repository
 * contacts no manager, and the other way round.
 */
export class Installation {
  readonly configuration: Configuration;
  readonly #context: CommandContext;
  readonly #registry = new PluginRegistry();
  readonly #loadedKinds = new Set<PluginKind>();
  readonly #managers = new Map<string, Manager>();
  readonly #repositories = new Map<string, Repository>();

  private constructor(configuration: Configuration, context: CommandContext) {
    this.configuration = configuration;
    this.#context = context;
  }

  /** Reads the configuration and loads the plugins it names; contacts nobody. */
  static async open(context: CommandContext): Promise<Installation> {
    const configuration = await loadConfiguration(context.configFile);
    const installation = new Installation(configuration, context);
    for (const specifier of configuration.plugins) {
      installation.#registry.register(await loadPlugin(specifier, configuration.baseDirectory));
    }
    return installation;
  }

  /** The manager of this name, or the default one. Connected once. */
  async manager(name?: string): Promise<Manager> {
    const entry = chooseEntry(this.configuration, "manager", name);
    const known = this.#managers.get(entry.name);
    if (known !== undefined) return known;
    await this.#loadBuiltIns("manager");
    const manager = await this.#registry.create("manager", entry.type, entry, { ...this.#host(), name: entry.name });
    this.#managers.set(entry.name, manager);
    return manager;
  }

  /** One of each strategy that works with this manager, in order of preference. */
  async strategies(manager: Manager): Promise<readonly Strategy[]> {
    await this.#loadBuiltIns("strategy");
    const fitting = this.#registry.all("strategy").filter(({ managerKind }) => managerKind === manager.kind);
    const host = { ...this.#host(), manager };
    return await Promise.all(fitting.map(({ name }) => this.#registry.create("strategy", name, this.#noOptions, host)));
  }

  /** The objects of a destination, whatever they are. The caller closes it. */
  async store(name?: string): Promise<ObjectStore> {
    return await this.#openStore(chooseEntry(this.configuration, "destination", name));
  }

  /** The repository in the destination of this name, or in the default one. Opened once. */
  async repository(name?: string): Promise<Repository> {
    const entry = chooseEntry(this.configuration, "destination", name);
    const known = this.#repositories.get(entry.name);
    if (known !== undefined) return known;
    const store = await this.#openStore(entry);
    try {
      const repository = await Repository.open(store, { codecs: await this.#codecs(), signal: this.#context.signal });
      this.#repositories.set(entry.name, repository);
      return repository;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** What runs of this node have made and not yet removed. */
  async ledger(): Promise<Ledger> {
    return await Ledger.open(join(this.configuration.stateDirectory, "ledger"));
  }

  /** The hooks plugins of the configuration. */
  async taps(): Promise<readonly ((hooks: RunHooks) => void)[]> {
    const plugins = this.#registry.all("hooks");
    return await Promise.all(
      plugins.map(({ name }) => this.#registry.create("hooks", name, this.#noOptions, this.#host())),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#managers.values()].map((manager) => manager.close()));
    await Promise.all([...this.#repositories.values()].map((repository) => repository.close()));
  }

  async #openStore(entry: PluginEntry): Promise<ObjectStore> {
    await this.#loadBuiltIns("destination");
    return retrying(await this.#registry.create("destination", entry.type, entry, this.#host()));
  }

  async #codecs(): Promise<readonly Codec[]> {
    const plugins = this.#registry.all("codec");
    return await Promise.all(
      plugins.map(({ name }) => this.#registry.create("codec", name, this.#noOptions, this.#host())),
    );
  }

  /** Strategies, codecs and hooks have no place for options in ovault.yaml; what they need beyond that is their own. */
  get #noOptions(): Pick<PluginEntry, "options" | "origin"> {
    const origin = { file: this.configuration.file, path: [], lineOf: () => undefined };
    return { options: {}, origin: originBelow(origin, "plugins") };
  }

  #host(): PluginHost {
    const { baseDirectory } = this.configuration;
    const { signal, redactor } = this.#context;
    return {
      baseDirectory,
      signal,
      secret: async (reference) => {
        const value = await resolveSecret(reference, { baseDirectory, signal });
        redactor.add(value);
        return value;
      },
    };
  }

  async #loadBuiltIns(kind: PluginKind): Promise<void> {
    if (this.#loadedKinds.has(kind)) return;
    this.#loadedKinds.add(kind);
    for (const plugin of await loadBuiltInPlugins(kind)) this.#registry.register(plugin);
  }
}
