import { statfs } from "node:fs/promises";

import { OvaultError, type Diagnosis } from "@ovault/contract";
import type { EngineApi } from "@ovault/ovirt";

import type { ExportDomainOptions } from "../options.ts";
import { sizeOf } from "../room/assert-room.ts";
import { heldSlots } from "../room/slot-files.ts";
import { usedBytes } from "../room/staging-use.ts";
import { ExportSites, type ExportSite } from "../site/export-sites.ts";
import { stagingPlaces } from "../staging/staging-place.ts";

const NAME = "export domain";

/** Checks the export domain and the folder of each data center. Reports one line where ovault.yaml names no folder. */
export async function diagnose(
  api: EngineApi,
  options: ExportDomainOptions,
  signal: AbortSignal,
): Promise<readonly Diagnosis[]> {
  if (stagingPlaces(options).length === 0) {
    return [{ name: NAME, status: "skip", detail: "ovault.yaml has no staging folder", hint: null }];
  }
  const sites = await ExportSites.read(api, options, signal);
  const found: Diagnosis[] = [];
  for (const site of sites.all) {
    found.push(site instanceof OvaultError ? failed(site) : await diagnoseSite(site, options));
  }
  return found;
}

async function diagnoseSite(
  { dataCenter, place, storageDomain }: ExportSite,
  options: ExportDomainOptions,
): Promise<Diagnosis> {
  const { folder } = place;
  const [{ bavail, bsize }, used, slots] = await Promise.all([statfs(folder), usedBytes(folder), heldSlots(folder)]);
  const { stagingLimit } = options;
  const limit = stagingLimit === undefined ? "" : `, limit ${sizeOf(stagingLimit)}`;
  const detail = `${storageDomain.name} of ${dataCenter.name} in ${folder}: ${sizeOf(used)} used, ${sizeOf(bavail * bsize)} free${limit}`;
  const other = slots.find(({ elsewhere }) => elsewhere);
  if (other === undefined) return { name: NAME, status: "ok", detail, hint: null };
  return {
    name: NAME,
    status: "fail",
    detail: `another node uses ${folder}: ${other.process.node}`,
    hint: `Each node needs a folder and an export domain of its own. If that node runs nothing any more, remove ${other.path}.`,
  };
}

function failed({ message: detail, hint }: OvaultError): Diagnosis {
  return { name: NAME, status: "fail", detail, hint: hint ?? null };
}
