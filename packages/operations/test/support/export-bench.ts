import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { parseConfiguration, Redactor } from "@ovault/core";
import { labConfiguration } from "@ovault/lab";
import type { LocalFileSystem } from "@ovault/nfs";
import { Installation } from "@ovault/operations";
import {
  listExportDomains,
  removeExportDomains,
  serveExportDomains,
  setUpExportDomains,
  type ServedExports,
  type SetUpOptions,
} from "@ovault/operations/export-domain";
import type { EngineApi, StorageDomain } from "@ovault/ovirt";
import { LabSite, type LabSiteOptions } from "@ovault/testkit-ovirt";
import { stringify } from "yaml";

type Options = Partial<Pick<LabSiteOptions, "engineVersion" | "inventory" | "machines">>;

/** An engine of the lab, a node with folders for export domains, and its NFS server. */
export class ExportBench implements AsyncDisposable {
  readonly site: LabSite;
  /** Holds all folders. */
  readonly staging: string;
  readonly notes: string[] = [];
  #served: ServedExports | undefined;

  static async open({ machines = [], ...options }: Options = {}): Promise<ExportBench> {
    return new ExportBench(await LabSite.open({ machines, ...options }));
  }

  private constructor(site: LabSite) {
    this.site = site;
    this.staging = join(site.directory, "staging");
  }

  get api(): EngineApi {
    return this.site.hasty.api;
  }

  get port(): number {
    if (this.#served === undefined) throw new Error("not served");
    return this.#served.port;
  }

  /** Serves the folders of these options as `ovault export-domain serve`. */
  async serve(options: object = {}, dataCenters: readonly string[] = []): Promise<ServedExports> {
    await using installation = await this.installation(options);
    this.#served = await serveExportDomains(installation, { port: 0, allow: [], dataCenters }, this.#context());
    return this.#served;
  }

  /** Serves some file system under the path of the staging folder, in place of `serve`. */
  take(served: ServedExports): void {
    this.#served = served;
  }

  /** @param diesAfter the step after which the process is killed */
  async setUp(
    options: object = {},
    { diesAfter, ...chosen }: Partial<SetUpOptions> & { readonly diesAfter?: number } = {},
  ) {
    await using installation = await this.installation(options);
    const wanted = { dataCenters: [], ...(this.#served !== undefined && { port: this.port }), ...chosen };
    return await setUpExportDomains(installation, wanted, this.#context(diesAfter));
  }

  async remove(options: object = {}, diesAfter?: number) {
    await using installation = await this.installation(options);
    return await removeExportDomains(installation, { dataCenters: [] }, this.#context(diesAfter));
  }

  async list(options: object = {}) {
    await using installation = await this.installation(options);
    return await listExportDomains(installation, { dataCenters: [] }, AbortSignal.timeout(60_000));
  }

  /** A node whose ovault.yaml has these options of the strategy. `state`: the directory that makes it another node. */
  installation({
    state = "state",
    ...options
  }: { readonly state?: string; readonly staging?: undefined } & object = {}): Promise<Installation> {
    const lab = labConfiguration(this.site.lab);
    const strategies = { "export-domain": { staging: this.staging, ...options } };
    const file = join(this.site.lab.directory, "ovault.yaml");
    return Installation.open(this.#context(), parseConfiguration(stringify({ ...lab, state, strategies }), file));
  }

  /** What the engine has, with status, by the name of the data center that it is attached to. */
  async exportDomains(): Promise<ReadonlyMap<string, StorageDomain>> {
    const signal = AbortSignal.timeout(60_000);
    const found = new Map<string, StorageDomain>();
    for (const center of await this.api.infrastructure.dataCenters(signal)) {
      const attached = await this.api.infrastructure.attachedStorageDomains(center.id, signal);
      for (const domain of attached.filter(({ type }) => type === "export")) found.set(center.name, domain);
    }
    const all = await this.api.infrastructure.storageDomains(signal);
    for (const domain of all.filter((one) => one.type === "export" && one.dataCenterIds.length === 0)) {
      found.set(`unattached ${domain.name}`, domain);
    }
    return found;
  }

  async folder(name: string): Promise<string> {
    const folder = join(this.site.directory, name);
    await mkdir(folder);
    return folder;
  }

  async stopServing(): Promise<void> {
    await this.#served?.[Symbol.asyncDispose]();
    this.#served = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopServing();
    await this.site.close();
  }

  #context(diesAfter = Infinity) {
    let steps = 0;
    const note = (line: string): void => {
      this.notes.push(line);
      if (++steps === diesAfter) throw new Error("killed");
    };
    const signal = AbortSignal.timeout(60_000);
    return { signal, configFile: "", debug: false, redactor: new Redactor(), reporter: { note, warn: note } };
  }
}

/** A file system with some calls replaced. */
export function altered(files: LocalFileSystem, changes: Partial<LocalFileSystem>): LocalFileSystem {
  return new Proxy(files, {
    get: (target, name) => {
      const replaced: unknown = Reflect.get(changes, name) ?? Reflect.get(target, name, target);
      return typeof replaced === "function" ? replaced.bind(target) : replaced;
    },
  });
}
