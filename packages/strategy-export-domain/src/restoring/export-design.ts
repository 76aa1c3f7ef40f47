import { randomUUID } from "node:crypto";

import { OvaultError, UsageError, type DiskRecord, type RestoreRequest } from "@ovault/contract";
import {
  assertMachineName,
  chooseCluster,
  designRestore,
  readOvf,
  savedOvf,
  type Capabilities,
  type EngineApi,
  type RestoreDesign,
} from "@ovault/ovirt";
import type { ExportDomain } from "@ovault/storage-domain";

import { ExportSites, type ExportSite } from "../site/export-sites.ts";
import { openStaging } from "../staging/open-staging.ts";
import type { StagingOptions } from "../staging/staging-options.ts";

const SECTOR_BYTES = 512;

/** A disk of a point, and what it becomes in the export domain. */
export interface DesignedCopy {
  readonly record: DiskRecord;
  readonly id: string;
  readonly volumeId: string;
  /** Size of the volume: whole sectors. */
  readonly bytes: number;
}

/** How a machine is imported. */
export interface ImportDesign extends RestoreDesign {
  /** For all disks. */
  readonly storageDomainId: string;
}

/** Everything that is decided before anything is made. */
export interface ExportDesign {
  readonly site: ExportSite;
  /** Id of the machine in the export domain, and in the engine. */
  readonly vmId: string;
  readonly ovf: string;
  readonly copies: readonly DesignedCopy[];
  /** As `RestoreRequest.networks`; of an import, those that the engine has. */
  readonly networks: ReadonlyMap<string, string>;
  /** Most bytes of the copies. */
  readonly stagedBytes: number;
  /** Undefined: an administrator imports it. */
  readonly imported: ImportDesign | undefined;
  readonly warnings: readonly string[];
}

export interface ExportDesignSite {
  readonly api: EngineApi;
  readonly capabilities: Capabilities;
  readonly options: StagingOptions;
}

/**
 * Makes all decisions of a restore into an export domain. Reads the engine and the folder, changes nothing.
 *
 * @throws UsageError, ExportDomainError, StagingError saying what to pass or to do
 */
export async function designExport(
  { api, capabilities, options }: ExportDesignSite,
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<ExportDesign> {
  const { point, disks, name } = request;
  const ovf = savedOvf(point);
  assertMachineName(name);
  assertNamed(ovf, disks);
  if (request.start && request.import !== true) {
    throw new UsageError("a machine in an export domain cannot be started", {
      hint: (field) => `Pass ${field("import")} as well.`,
    });
  }
  const site = await chooseSite(api, options, request, signal);
  await using domain = await openStaging(site.place.folder, site.storageDomain.id);
  await refuseNameThere(domain, name, site);
  const imported =
    request.import === true ? await designImport({ api, capabilities }, request, site, signal) : undefined;
  const copies = disks.map((record): DesignedCopy => {
    const bytes = Math.ceil(record.stats.logicalBytes / SECTOR_BYTES) * SECTOR_BYTES;
    return { record, id: randomUUID(), volumeId: randomUUID(), bytes };
  });
  const { blockBytes } = point;
  return {
    site,
    vmId: randomUUID(),
    ovf,
    copies,
    networks: request.networks,
    stagedBytes: copies.reduce((sum, { record, bytes }) => sum + Math.min(bytes, heldBytes(record, blockBytes)), 0),
    imported,
    warnings: imported?.warnings ?? [],
  };
}

/** An import puts all disks into one storage domain: that of the first. */
async function designImport(
  { api, capabilities }: Pick<ExportDesignSite, "api" | "capabilities">,
  request: RestoreRequest,
  { dataCenter }: ExportSite,
  signal: AbortSignal,
): Promise<ImportDesign> {
  const design = await designRestore(api, { capabilities, filler: AS_IT_WAS }, request, signal);
  const [first] = design.disks;
  if (first === undefined) {
    const domains = await api.infrastructure.attachedStorageDomains(dataCenter.id, signal);
    const any = domains.find(({ type, status }) => type === "data" && (status ?? "active") === "active");
    return { ...design, storageDomainId: any?.id ?? "" };
  }
  const { id, name } = first.domain;
  const isScattered = design.disks.some(({ domain }) => domain.id !== id);
  const together = isScattered ? [`all disks go to ${name}: an import takes one storage domain`] : [];
  return { ...design, storageDomainId: id, warnings: [...design.warnings, ...together] };
}

/** Formats are the engine's affair: it converts what a storage domain cannot hold. */
const AS_IT_WAS = { fillsCow: () => true };

/** The site of the wanted cluster, or of the point's; without either the only one there is. */
async function chooseSite(
  api: EngineApi,
  options: StagingOptions,
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<ExportSite> {
  const [sites, clusters] = await Promise.all([
    ExportSites.read(api, options, signal),
    api.infrastructure.clusters(signal),
  ]);
  const usable = sites.all.filter((site): site is ExportSite => !(site instanceof OvaultError));
  const [only, ...others] = usable;
  const { vm } = request.point;
  const isThere = clusters.some(({ id, name }) => id === vm.cluster?.id || name === vm.cluster?.name);
  const isNamed = request.cluster !== undefined || request.import === true || isThere;
  if (!isNamed && only !== undefined && others.length === 0) return only;
  return sites.require(chooseCluster(request, clusters));
}

/** The engine's import takes the disks that the OVF names. @throws UsageError */
function assertNamed(ovf: string, disks: readonly DiskRecord[]): void {
  const named = new Set(readOvf(ovf).disks.map(({ diskId }) => diskId));
  const missing = disks.find(({ disk }) => !named.has(disk.id));
  if (missing === undefined) return;
  throw new UsageError(
    `the configuration of the point does not name disk ${missing.disk.alias}: no engine would import it`,
    {
      hint: (field) =>
        `Restore it with another strategy, or to a file: ${field("disk", "DISK")} ${field("toFile", "FILE")}.`,
    },
  );
}

/** @throws UsageError when a machine of this name lies in the export domain: an administrator could not tell them apart */
async function refuseNameThere(domain: ExportDomain, name: string, { storageDomain }: ExportSite): Promise<void> {
  for (const id of await domain.machineIds()) {
    if ((await nameOf(domain, id)) !== name) continue;
    throw new UsageError(`a virtual machine named ${name} lies in export domain ${storageDomain.name} already`, {
      context: { vm: id },
      hint: (field) =>
        `Choose another name with ${field("as")}, or delete that one from the export domain in the manager.`,
    });
  }
}

/** Undefined where its OVF cannot be read: others may be at work there. */
async function nameOf(domain: ExportDomain, id: string): Promise<string | undefined> {
  try {
    const ovf = await domain.readOvf(id);
    return ovf === undefined ? undefined : readOvf(ovf).name;
  } catch {
    return undefined;
  }
}

function heldBytes({ stats }: DiskRecord, blockBytes: number): number {
  return (stats.unchangedBlocks + stats.newBlocks + stats.knownBlocks) * blockBytes;
}
