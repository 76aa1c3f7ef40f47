import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { reasonOf } from "../engine/engine-core.ts";
import type { ExportDomainState, Named } from "../engine/engine-state.ts";
import type { FaultSwitches } from "../engine/faults.ts";
import type { ExportDomainOperations } from "../engine/operations/export-domain-operations.ts";
import { StagingExport } from "./staging-export.ts";

/** The staging folder of a data centre, and the export domain that lies in it. */
export interface LabStagingPlace {
  readonly dataCenter: string;
  readonly exportDomain: string;
  /** Absolute. */
  readonly folder: string;
}

export interface LabStagingParts {
  /** Holds the folders. */
  readonly directory: string;
  readonly dataCenters: readonly Named[];
  /** Those that the engine has already; their ports follow the exports. */
  readonly exportDomains: readonly ExportDomainState[];
  readonly faults: FaultSwitches;
}

const ADDRESS = "127.0.0.1";
const DOMAIN_PREFIX = "staging-";

/** A folder for each data centre, served over NFS on 127.0.0.1 and registered as its export domain. */
export class LabStaging {
  readonly #exports: readonly StagingExport[];
  readonly #dataCenters: readonly Named[];
  #places: readonly LabStagingPlace[] = [];
  #whyNone: string | undefined;

  static async start({ directory, dataCenters, exportDomains, faults }: LabStagingParts): Promise<LabStaging> {
    const started: StagingExport[] = [];
    try {
      for (const dataCenter of dataCenters) {
        const name = folderOf(dataCenter);
        const folder = join(directory, name);
        await mkdir(folder, { recursive: true, mode: 0o755 });
        const path = `/staging/${name}`;
        const registered = exportDomains.find((domain) => domain.path === path && domain.address === ADDRESS);
        const options = { folder, path, fileSystemId: numberOf(dataCenter.id), faults };
        const one = await StagingExport.serve(options, registered?.mountOptions);
        if (registered !== undefined) registered.mountOptions = one.mountOptions;
        started.push(one);
      }
    } catch (error) {
      for (const one of started) await one.close();
      throw error;
    }
    return new LabStaging(started, dataCenters);
  }

  private constructor(exports: readonly StagingExport[], dataCenters: readonly Named[]) {
    this.#exports = exports;
    this.#dataCenters = dataCenters;
  }

  get places(): readonly LabStagingPlace[] {
    return this.#places;
  }

  /** Why there are no places; undefined when there are. */
  get whyNone(): string | undefined {
    return this.#whyNone;
  }

  /** Makes, attaches and activates the export domains of data centres that have none. */
  async register(engine: ExportDomainOperations): Promise<void> {
    try {
      const places: LabStagingPlace[] = [];
      for (const [index, { id, name }] of this.#dataCenters.entries()) {
        const served = this.#exports[index];
        if (served === undefined) continue;
        const { folder, path, mountOptions } = served;
        const present = engine.ofDataCenter(id);
        const domain =
          present ??
          (await engine.create({ name: `${DOMAIN_PREFIX}${folderName(path)}`, address: ADDRESS, path, mountOptions }));
        if (present === undefined) await engine.attach(domain.id, id);
        if (domain.path === path) places.push({ dataCenter: name, exportDomain: domain.name, folder });
      }
      this.#places = places;
    } catch (error) {
      this.#whyNone = reasonOf(error);
    }
  }

  async close(): Promise<void> {
    for (const one of this.#exports) await one.close();
  }
}

/** The name of the data centre where it can be the name of a folder. */
function folderOf({ id, name }: Named): string {
  return /^\w[\w.-]*$/.test(name) ? name : id;
}

function folderName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The same for the same data centre. */
function numberOf(id: string): bigint {
  return createHash("sha256").update(id).digest().readBigUInt64BE();
}
