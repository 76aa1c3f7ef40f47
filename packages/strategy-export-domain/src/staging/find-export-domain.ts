import type { EngineApi, StorageDomain } from "@ovault/ovirt";

import { ExportDomainError } from "../errors.ts";
import type { StagingPlace } from "./staging-place.ts";

interface Named {
  readonly id: string;
  readonly name: string;
}

/** The export domain of a data center that lies in a place. @throws ExportDomainError why there is none to use */
export async function findExportDomain(
  api: EngineApi,
  place: StagingPlace,
  dataCenter: Named,
  signal: AbortSignal,
): Promise<StorageDomain> {
  const attached = await api.infrastructure.attachedStorageDomains(dataCenter.id, signal);
  const own = attached.find(({ type }) => type === "export");
  const wanted = place.exportDomain;
  if (own === undefined || (wanted !== undefined && own.name !== wanted)) {
    throw new ExportDomainError(await whyNone(api, { wanted, own, dataCenter }, signal), {
      context: { dataCenter: dataCenter.id },
      hint: `\`ovault export-domain setup\` makes one for ${place.folder}.`,
    });
  }
  if (own.status !== undefined && own.status !== "active") {
    throw new ExportDomainError(`export domain ${own.name} of data center ${dataCenter.name} is ${own.status}`, {
      context: { storageDomain: own.id, status: own.status },
      hint: "Activate it in the manager: Storage, its Data Center tab.",
    });
  }
  return own;
}

async function whyNone(
  api: EngineApi,
  found: { readonly wanted: string | undefined; readonly own: Named | undefined; readonly dataCenter: Named },
  signal: AbortSignal,
): Promise<string> {
  const { wanted, own, dataCenter } = found;
  if (wanted === undefined) return `data center ${dataCenter.name} has no export domain`;
  const other = own === undefined ? "" : `, which has ${own.name} and can have no other`;
  const named = (await api.infrastructure.storageDomains(signal)).find(({ name }) => name === wanted);
  if (named === undefined) return `the engine has no storage domain ${wanted}`;
  if (named.type !== "export") return `storage domain ${wanted} is no export domain`;
  if (named.dataCenterIds.length === 0)
    return `export domain ${wanted} is not attached to data center ${dataCenter.name}`;
  return `export domain ${wanted} is attached to another data center than ${dataCenter.name}${other}`;
}
