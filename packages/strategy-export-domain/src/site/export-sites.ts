import { ManagerUnavailableError, OvaultError } from "@ovault/contract";
import type { Cluster, DataCenter, EngineApi, StorageDomain } from "@ovault/ovirt";

import { ExportDomainError } from "../errors.ts";
import { assertClaim } from "../staging/claim-folder.ts";
import { findExportDomain } from "../staging/find-export-domain.ts";
import { openStaging } from "../staging/open-staging.ts";
import type { StagingOptions } from "../staging/staging-options.ts";
import { stagingPlaceOf, stagingPlaces, type StagingPlace } from "../staging/staging-place.ts";

/** What exports the machines of a data center: an active export domain, whose files lie on this node. */
export interface ExportSite {
  readonly dataCenter: DataCenter;
  readonly place: StagingPlace;
  readonly storageDomain: StorageDomain;
}

/** The site of a machine. */
export interface MachineSite extends ExportSite {
  readonly clusterId: string;
}

/** The sites of an engine at one moment. */
export class ExportSites {
  readonly #clusters: readonly Cluster[];
  readonly #sites: ReadonlyMap<string, ExportSite | OvaultError>;

  static async read(api: EngineApi, options: StagingOptions, signal: AbortSignal): Promise<ExportSites> {
    if (stagingPlaces(options).length === 0) return new ExportSites([], new Map());
    const [clusters, dataCenters] = await Promise.all([
      api.infrastructure.clusters(signal),
      api.infrastructure.dataCenters(signal),
    ]);
    const sites = new Map<string, ExportSite | OvaultError>();
    for (const dataCenter of dataCenters) sites.set(dataCenter.id, await siteOf(api, options, dataCenter, signal));
    return new ExportSites(clusters, sites);
  }

  private constructor(clusters: readonly Cluster[], sites: ReadonlyMap<string, ExportSite | OvaultError>) {
    this.#clusters = clusters;
    this.#sites = sites;
  }

  /** All data centers, in the engine's order. */
  get all(): readonly (ExportSite | OvaultError)[] {
    return [...this.#sites.values()];
  }

  /** The site of a cluster's data center, or why there is none. */
  of(cluster: { readonly id: string } | undefined): ExportSite | OvaultError {
    if (this.#sites.size === 0) return noFolder();
    const dataCenterId = this.#clusters.find(({ id }) => id === cluster?.id)?.dataCenterId;
    const found = dataCenterId === undefined ? undefined : this.#sites.get(dataCenterId);
    return found ?? new ExportDomainError("the engine does not show the data center of its cluster");
  }

  /** @throws ExportDomainError, StagingError why there is none */
  require(cluster: { readonly id: string } | undefined): MachineSite {
    const found = this.of(cluster);
    if (found instanceof OvaultError) throw found;
    return { ...found, clusterId: cluster?.id ?? "" };
  }
}

async function siteOf(
  api: EngineApi,
  options: StagingOptions,
  dataCenter: DataCenter,
  signal: AbortSignal,
): Promise<ExportSite | OvaultError> {
  const place = stagingPlaceOf(options, dataCenter.name);
  if (place === undefined) return unnamed(dataCenter);
  try {
    const storageDomain = await findExportDomain(api, place, dataCenter, signal);
    if (options.stateDirectory !== undefined) await assertClaim(place.folder, options.stateDirectory);
    await using _domain = await openStaging(place.folder, storageDomain.id);
    return { dataCenter, place, storageDomain };
  } catch (error) {
    const concernsSite = error instanceof OvaultError && !(error instanceof ManagerUnavailableError);
    if (!concernsSite || signal.aborted) throw error;
    return error;
  }
}

function unnamed({ id, name }: DataCenter): ExportDomainError {
  return new ExportDomainError(`ovault.yaml names no export domain for data center ${name}`, {
    context: { dataCenter: id },
    hint: "Add it to `dataCenters` of the strategy export-domain; each has a folder of its own.",
  });
}

/** What to use on an engine with the backup API, where ovault.yaml has no folder. */
export function needless(): ExportDomainError {
  return new ExportDomainError(
    "ovault.yaml has no staging folder, and this engine has better ways than an export domain",
    {
      hint: "Leave `strategy` at auto, or name changed-block-tracking or image-transfer.",
    },
  );
}

function noFolder(): ExportDomainError {
  return new ExportDomainError("ovault.yaml has no staging folder for an export domain", {
    hint: "Set `staging` of the strategy export-domain; `ovault export-domain setup` does the rest.",
  });
}
