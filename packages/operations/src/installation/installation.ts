import { join } from "node:path";

import { consistencyOf, frozenGuests, type ConsistencyOptions, type RunConsistency } from "@ovault/consistency";
import {
  ConfigurationError,
  settleAll,
  UsageError,
  type Codec,
  type ImageStore,
  type LeftoverOwner,
  type Manager,
  type ObjectStore,
  type Plugin,
  type PluginHost,
  type PluginKind,
  type PluginKinds,
  type RecoveryPoint,
  type RunHooks,
  type Strategy,
} from "@ovault/contract";
import {
  assertPoliciesRefer,
  BRIEF_RETRIES,
  chooseCodec,
  chooseEntry,
  DESTINATION_SETTINGS,
  IndexCache,
  FileLedger,
  ImagePoints,
  type Ledger,
  loadConfiguration,
  loadPlugin,
  ManagerNames,
  PluginRegistry,
  repeated,
  Repository,
  resolveSecret,
  type Configuration,
  type DestinationEntry,
  type PluginEntry,
  type PluginOptions,
  type RepositoryAccess,
} from "@ovault/core";

import { builtInNames, loadBuiltInPlugins } from "./built-in-plugins.ts";
import { StoreTrace } from "./store-trace.ts";
import { repositorySecret } from "./repository-secret.ts";
import type { OperationContext } from "../operation-context.ts";
import { harmlessReporter } from "../reporter.ts";
import { consistencySettings } from "./consistency-settings.ts";
import { OpenedByName } from "./opened-by-name.ts";
import { assertSettingsOfImages, wrapImages } from "./wrap-images.ts";
import { wrapStore } from "./wrap-store.ts";

/** A repository, or whole images beside manifests. */
export type PointsOfDestination = Repository | ImagePoints;

const DESTINATION_KINDS = ["destination", "image-destination"] as const;
type DestinationKind = (typeof DESTINATION_KINDS)[number];

/**
 * The objects that one ovault.yaml describes, opened one by one as a command needs them, and closed together. Opening a
 * repository contacts no manager, and vice versa.
 */
export class Installation {
  readonly configuration: Configuration;
  readonly managerNames: ManagerNames;
  readonly #context: OperationContext;
  readonly #registry = new PluginRegistry();
  readonly #builtIns = new Set<Plugin>();
  readonly #managers = new OpenedByName<Manager>();
  readonly #stores = new OpenedByName<PointsOfDestination>();
  readonly #traces: StoreTrace[] = [];

  private constructor(configuration: Configuration, context: OperationContext) {
    this.configuration = configuration;
    this.managerNames = new ManagerNames(configuration.managers.values());
    this.#context = { ...context, reporter: harmlessReporter(context.reporter) };
  }

  /** Reads the configuration, unless given, and loads the plugins it names; opens no connection. */
  static async open(context: OperationContext, configuration?: Configuration): Promise<Installation> {
    const installation = new Installation(configuration ?? (await loadConfiguration(context.configFile)), context);
    for (const policy of installation.configuration.policies.values()) {
      consistencySettings(installation.configuration, policy);
    }
    for (const specifier of installation.configuration.plugins) {
      installation.#registry.register(await loadPlugin(specifier, installation.configuration.baseDirectory));
    }
    installation.#assertStrategiesOfPolicies();
    return installation;
  }

  /**
   * Checks the options of everything that is configured and reads what they refer to on this node, secrets included, but
   * opens nothing: for processes that find out later what they use. A file without a destination is good for no job: it
   * may be half written.
   * @throws ConfigurationError; PluginError for a plugin that is missing
   */
  async check(): Promise<void> {
    const { managers, destinations, strategies, hooks } = this.configuration;
    if (destinations.size === 0) throw noDestination(this.configuration);
    const host = this.#host();
    for (const entry of managers.values()) {
      await this.#loadBuiltIns(["manager"], entry.type);
      await this.#registry.check("manager", entry.type, entry, host);
    }
    for (const entry of destinations.values()) {
      const kind = await this.#kindOf(entry);
      if (kind === "image-destination") assertSettingsOfImages(entry);
      await this.#registry.check(kind, entry.type, { ...entry, keysBeside: DESTINATION_SETTINGS }, host);
      await repositorySecret(entry, host);
    }
    await this.#loadBuiltIns(["strategy"]);
    for (const [name, entry] of strategies) await this.#registry.check("strategy", name, entry, host);
    for (const [name, entry] of hooks) await this.#registry.check("hooks", name, entry, host);
  }

  /** Loads no strategy. @throws ConfigurationError */
  #assertStrategiesOfPolicies(): void {
    const ofPlugins = this.#registry.all("strategy").map(({ name }) => name);
    const strategy = ["auto", ...builtInNames("strategy"), ...ofPlugins];
    const { policies, origin } = this.configuration;
    assertPoliciesRefer(Object.fromEntries(policies), { strategy }, origin);
  }

  /** The manager of this name, or the default one. Connects once. */
  async manager(name?: string): Promise<Manager> {
    const entry = chooseEntry(this.configuration, "manager", name);
    return await this.#managers.get(entry.name, async () => {
      await this.#loadBuiltIns(["manager"], entry.type);
      return await this.#registry.create("manager", entry.type, entry, { ...this.#host(), name: entry.name });
    });
  }

  /** The strategies that work with this manager, in order of preference. */
  async strategies(manager: Manager): Promise<readonly Strategy[]> {
    await this.#loadBuiltIns(["strategy"]);
    const configured = this.configuration.strategies;
    const { stateDirectory } = this.configuration;
    const host = { ...this.#host(), manager, otherManagers: this.#managersBeside(manager), stateDirectory };
    const fitting = this.#pluginsOf("strategy", configured).filter(({ managerKind }) => managerKind === manager.kind);
    return await Promise.all(
      fitting.map(({ name }) => this.#registry.create("strategy", name, this.#optionsOf(name, configured), host)),
    );
  }

  /** Names of the other managers of the same type. */
  #managersBeside({ name }: Manager): readonly string[] {
    const { managers } = this.configuration;
    const type = managers.get(name)?.type;
    return [...managers.values()].filter((one) => one.type === type && one.name !== name).map((one) => one.name);
  }

  /**
   * Everything that may have left temporary things on this manager. Guests come first: a frozen guest must not wait for
   * snapshots.
   */
  async leftoverOwners(manager: Manager): Promise<readonly LeftoverOwner[]> {
    return [frozenGuests(manager), ...(await this.strategies(manager))];
  }

  /** The object store of a destination, whatever it holds; of whole images, that beside them. The caller closes it. */
  async store(name?: string): Promise<ObjectStore> {
    const entry = chooseEntry(this.configuration, "destination", name);
    if ((await this.#kindOf(entry)) === "destination") return await this.#openStore(entry);
    return (await this.#openImages(entry)).objects;
  }

  /** What a destination holds: a repository, or whole images. Opens nothing. */
  async contentOf(name?: string): Promise<PointsOfDestination["kind"]> {
    const kind = await this.#kindOf(chooseEntry(this.configuration, "destination", name));
    return kind === "destination" ? "repository" : "images";
  }

  /** Creates the place of a destination (a directory, a bucket) if it is missing and its plugin can. */
  async prepareDestination(name?: string): Promise<void> {
    const entry = chooseEntry(this.configuration, "destination", name);
    const options = { ...entry, keysBeside: DESTINATION_SETTINGS };
    await this.#registry.prepareDestination(await this.#kindOf(entry), entry.type, options, this.#host());
  }

  /** What is needed to open the repository in a destination. */
  async access(name?: string): Promise<RepositoryAccess> {
    const entry = chooseEntry(this.configuration, "destination", name);
    const { lockDays } = entry.settings;
    const secret = await repositorySecret(entry, this.#host());
    return { secret, title: `destination ${entry.name}`, lockDays, signal: this.#context.signal };
  }

  /** The recovery points in the destination of this name, or in the default one. Opens it once. */
  async points(name?: string): Promise<PointsOfDestination> {
    const entry = chooseEntry(this.configuration, "destination", name);
    return await this.#stores.get(entry.name, async () => {
      if ((await this.#kindOf(entry)) === "destination") return await this.#openRepository(entry);
      return new ImagePoints(await this.#openImages(entry), { managers: this.managerNames });
    });
  }

  /** As `points`, for what only a repository has. @throws UsageError for a destination of whole images */
  async repository(name?: string): Promise<Repository> {
    const points = await this.points(name);
    if (points.kind === "repository") return points;
    throw noRepository(chooseEntry(this.configuration, "destination", name));
  }

  /** Opens nothing. @throws UsageError for a destination of whole images */
  async assertHoldsRepository(name?: string): Promise<void> {
    const entry = chooseEntry(this.configuration, "destination", name);
    if ((await this.#kindOf(entry)) === "image-destination") throw noRepository(entry);
  }

  /** Points whose manager's name is not in ovault.yaml; empty if it has no managers at all. */
  unclaimed(points: readonly RecoveryPoint[]): readonly RecoveryPoint[] {
    if (this.configuration.managers.size === 0) return [];
    return points.filter(({ vm }) => !this.managerNames.isKnown(vm.manager));
  }

  /** What runs of this node have made and not yet removed: the context's ledger, otherwise files in the state directory. */
  async ledger(): Promise<Ledger> {
    return this.#context.ledger ?? (await FileLedger.open(join(this.configuration.stateDirectory, "ledger")));
  }

  /** One tap from each hooks plugin, for every run. */
  async taps(): Promise<readonly ((hooks: RunHooks) => void)[]> {
    const configured = this.configuration.hooks;
    return await Promise.all(
      this.#pluginsOf("hooks", configured).map(({ name }) =>
        this.#registry.create("hooks", name, this.#optionsOf(name, configured), this.#host()),
      ),
    );
  }

  /** How to quiesce the guests of this manager. */
  async consistency(manager: Manager, options: ConsistencyOptions): Promise<RunConsistency> {
    const { redactor } = this.#context;
    const redact = (text: string): string => redactor.redact(text);
    return consistencyOf(options, { ...this.#host(), manager, ledger: await this.ledger(), redact });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await settleAll([this.#managers.close(), this.#stores.close()]);
    for (const trace of this.#traces) trace.showSums();
  }

  async #openRepository(entry: DestinationEntry): Promise<Repository> {
    const store = await this.#openStore(entry);
    try {
      const codecs = await this.#codecs();
      const codec = chooseCodec(entry, codecs);
      return await Repository.open(store, {
        ...(codec !== undefined && { codec }),
        codecs,
        managers: this.managerNames,
        indexCache: this.#indexCache(entry),
        ...(await this.access(entry.name)),
      });
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  #indexCache({ name }: DestinationEntry): IndexCache {
    const { debug, reporter } = this.#context;
    const directory = join(this.configuration.stateDirectory, "index-cache");
    return new IndexCache(directory, (text) => {
      if (debug) reporter.note(`${name}: ${text}`);
    });
  }

  async #openStore(entry: DestinationEntry): Promise<ObjectStore> {
    const driver = await this.#create("destination", entry);
    try {
      return this.#wrap(driver, entry);
    } catch (error) {
      await driver.close();
      throw error;
    }
  }

  async #openImages(entry: DestinationEntry): Promise<ImageStore> {
    assertSettingsOfImages(entry);
    const driver = await this.#create("image-destination", entry);
    return wrapImages(driver, entry, (objects) => this.#wrap(objects, entry));
  }

  async #create<K extends DestinationKind>(kind: K, entry: DestinationEntry): Promise<PluginKinds[K]["product"]> {
    const options = { ...entry, keysBeside: DESTINATION_SETTINGS };
    const host = { ...this.#host(), readOnly: entry.settings.readOnly === true };
    const open = (): Promise<PluginKinds[K]["product"]> => this.#registry.create(kind, entry.type, options, host);
    return await repeated(open, this.#context.signal, { policy: BRIEF_RETRIES });
  }

  #wrap(driver: ObjectStore, entry: DestinationEntry): ObjectStore {
    const note = (line: string): void => this.#context.reporter.note(line);
    return wrapStore(driver, entry, { observe: this.#observerOf(entry), note });
  }

  async #kindOf({ type }: DestinationEntry): Promise<DestinationKind> {
    await this.#loadBuiltIns(DESTINATION_KINDS, type);
    return this.#registry.kindOf(DESTINATION_KINDS, type);
  }

  /** Traces the calls to a destination under --debug. */
  #observerOf({ name }: DestinationEntry): (store: ObjectStore) => ObjectStore {
    if (!this.#context.debug) return (store) => store;
    const trace = new StoreTrace(name, this.#context.reporter);
    this.#traces.push(trace);
    return trace.observe;
  }

  async #codecs(): Promise<readonly Codec[]> {
    const none: ReadonlyMap<string, PluginEntry> = new Map();
    return await Promise.all(
      this.#registry
        .all("codec")
        .map(({ name }) => this.#registry.create("codec", name, this.#optionsOf(name, none), this.#host())),
    );
  }

  /** All plugins of a kind. @throws PluginError when options are configured for a missing one */
  #pluginsOf<K extends PluginKind>(kind: K, configured: ReadonlyMap<string, PluginEntry>): readonly Plugin<K>[] {
    for (const name of configured.keys()) this.#registry.get(kind, name);
    return this.#registry.all(kind);
  }

  #optionsOf(name: string, configured: ReadonlyMap<string, PluginEntry>): PluginOptions {
    const none = { options: {}, origin: { file: this.configuration.file, path: [name], lineOf: () => undefined } };
    return configured.get(name) ?? none;
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

  /** Registers built-in plugins; another name may be one of `plugins:`. */
  async #loadBuiltIns(kinds: readonly PluginKind[], name?: string): Promise<void> {
    const loaded = await loadBuiltInPlugins(kinds, name);
    for (const plugin of loaded.filter((one) => !this.#builtIns.has(one))) {
      this.#builtIns.add(plugin);
      this.#registry.register(plugin);
    }
  }
}

function noDestination({ file }: Configuration): ConfigurationError {
  return new ConfigurationError(`${file} describes no destination`, {
    context: { file },
    hint: "Was it read while something wrote it? Write a new one beside it, and rename it over the old one. Otherwise add a destination under `destinations:`.",
  });
}

function noRepository({ name, type }: DestinationEntry): UsageError {
  return new UsageError(`destination ${name} holds no repository: type ${type} holds whole images`, {
    context: { destination: name, type },
    hint: "Forgetting a point frees its space at once, and every point is complete: there is nothing to prune, to repair or to unlock. Name another destination.",
  });
}
