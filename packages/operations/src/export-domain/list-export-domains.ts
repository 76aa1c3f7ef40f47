import { statfs } from "node:fs/promises";

import { messageOf } from "@ovault/contract";
import { ovirtManager, type EngineApi } from "@ovault/ovirt";
import { assertClaim, findExportDomain, openStaging } from "@ovault/strategy-export-domain";

import type { Installation } from "../installation/installation.ts";
import { exportSites, type ExportSite } from "./export-site.ts";
import { stagingOf } from "./staging-of.ts";

/** The export domain of a data center, or why it cannot be used. */
export interface ExportDomainState {
  readonly dataCenter: string;
  readonly folder: string;
  readonly exportDomain: string | null;
  readonly address: string | null;
  readonly path: string | null;
  /** In the folder's file system, which limits; what the engine reports where the folder cannot be used. */
  readonly availableBytes: number | null;
  /** Machines that lie in it. */
  readonly machines: number | null;
  /** Why no backup can go through it; null when one can. */
  readonly problem: string | null;
}

/** The export domains of ovault.yaml as they are now. Changes nothing. */
export async function listExportDomains(
  installation: Installation,
  options: { readonly manager?: string | undefined; readonly dataCenters: readonly string[] },
  signal: AbortSignal,
): Promise<readonly ExportDomainState[]> {
  const staging = await stagingOf(installation.configuration);
  const { api } = ovirtManager(await installation.manager(options.manager));
  const sites = await exportSites(api, staging, options.dataCenters, signal);
  return await Promise.all(sites.map((site) => stateOf(api, site, installation.configuration.stateDirectory, signal)));
}

async function stateOf(
  api: EngineApi,
  { dataCenter, place }: ExportSite,
  stateDirectory: string,
  signal: AbortSignal,
): Promise<ExportDomainState> {
  const unknown = {
    dataCenter: dataCenter.name,
    folder: place.folder,
    exportDomain: place.exportDomain ?? null,
    address: null,
    path: null,
    availableBytes: null,
    machines: null,
  };
  try {
    const { id, name, address, path, availableBytes } = await findExportDomain(api, place, dataCenter, signal);
    const known = {
      ...unknown,
      exportDomain: name,
      address: address ?? null,
      path: path ?? null,
      availableBytes: availableBytes ?? null,
    };
    try {
      await assertClaim(place.folder, stateDirectory);
      await using domain = await openStaging(place.folder, id);
      const { bavail, bsize } = await statfs(place.folder);
      const machines = (await domain.machineIds()).length;
      return { ...known, availableBytes: bavail * bsize, machines, problem: null };
    } catch (error) {
      return { ...known, problem: messageOf(error) };
    }
  } catch (error) {
    signal.throwIfAborted();
    return { ...unknown, problem: messageOf(error) };
  }
}
