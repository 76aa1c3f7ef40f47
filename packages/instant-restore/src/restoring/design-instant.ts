import type { RestoreRequest } from "@ovault/contract";
import {
  assertRestores,
  designRestore,
  type DiskLayout,
  type EngineApi,
  type OvirtManager,
  type RestoreDesign,
  type StorageDomain,
} from "@ovault/ovirt";

import { findSite, type DomainSite } from "../domain/domain-site.ts";
import type { DomainWish } from "../domain/make-domain.ts";
import { formatVersion, refuseTakenName } from "../domain/share-domain.ts";

/** Everything that is decided before anything is made. */
export interface InstantDesign extends RestoreDesign {
  readonly site: DomainSite;
}

/**
 * Makes all decisions of an instant restore. Reads the engine, changes nothing. `storageDomain` of the request has no
 * effect.
 *
 * @throws UsageError, ShareDomainError saying what to pass or to do
 */
export async function designInstant(
  manager: OvirtManager,
  request: RestoreRequest,
  wish: DomainWish,
  signal: AbortSignal,
  api: EngineApi = manager.api,
): Promise<InstantDesign> {
  const capabilities = await manager.capabilities(signal);
  assertRestores(capabilities);
  const means = { capabilities, filler: AS_IT_WAS, place: placeFor(wish) };
  const design = await designRestore(api, means, request, signal);
  const site = await findSite(api, design.cluster.dataCenterId, signal);
  const { address, path } = wish.share;
  await refuseTakenName(api, { name: wish.name, address, path }, signal);
  const { dataCenter } = site;
  const isOld = dataCenter.storageFormat !== undefined && formatVersion(dataCenter) < QCOW2_V3_SINCE;
  const raw = design.disks.filter(({ layout }) => isOld && layout.format === "cow");
  const thick = design.disks.filter(({ layout }) => !layout.sparse);
  return {
    ...design,
    site,
    disks: design.disks.map((disk) => ({ ...disk, layout: layOutOnShare(disk.layout, isOld) })),
    warnings: [
      ...design.warnings,
      ...(thick.length === 0 ? [] : [`preallocated disks become thin: ${aliases(thick)}`]),
      ...(raw.length === 0 ? [] : [`QCOW2 disks become raw, as ${dataCenter.name} is too old: ${aliases(raw)}`]),
    ],
  };
}

/** Domains of this version and later take QCOW2 volumes with `compat` 1.1, which is what shares make. */
const QCOW2_V3_SINCE = 4;

function layOutOnShare(layout: DiskLayout, isOld: boolean): DiskLayout {
  const thin = { ...layout, sparse: true, writeZeros: false };
  return isOld ? { ...thin, format: "raw", incremental: false } : thin;
}

function aliases(disks: RestoreDesign["disks"]): string {
  return disks.map(({ record }) => record.disk.alias).join(", ");
}

/** Volumes are made in the format that the point has, where the domain takes it. */
const AS_IT_WAS = { fillsCow: () => true };

/** The domain before it is there. The share takes its room from the disk of overlays, and says so itself. */
function placeFor({ name, share }: DomainWish): StorageDomain {
  return {
    id: "",
    name,
    type: "data",
    status: "active",
    storageType: "nfs",
    address: share.address,
    path: share.path,
    mountOptions: undefined,
    availableBytes: undefined,
    usedBytes: undefined,
    committedBytes: undefined,
    blockedBelowBytes: undefined,
    master: false,
    backup: false,
    storageFormat: undefined,
    dataCenterIds: [],
  };
}
