import type { BackupRequest, RunContext } from "@ovault/contract";
import type { OvirtManager } from "@ovault/ovirt";

import type { ExportDomainOptions } from "../options.ts";
import { assertDistinct } from "./match-copies.ts";
import { ExportSites } from "../site/export-sites.ts";
import { proveSite } from "../staging/prove-site.ts";
import { assertRoomForClones, assertRoomInFolder, findCloneDomain, total } from "../room/assert-room.ts";
import { copySizes } from "../room/copy-sizes.ts";
import { StagingSlot } from "../room/staging-slot.ts";

/**
 * Waits for the turn of a backup, and proves that it can be exported: room and export are as they are in the turn.
 *
 * @param options with absolute folders
 * @throws NoRoomError, ExportDomainError, StagingError; UsageError for disks that a clone does not tell apart
 */
export async function awaitTurn(
  manager: OvirtManager,
  options: ExportDomainOptions,
  request: BackupRequest,
  context: RunContext,
): Promise<StagingSlot> {
  const { vm, disks } = request;
  const { runId, hooks, signal } = context;
  const api = manager.apiFor(runId, hooks);
  assertDistinct(disks);
  const capabilities = await manager.capabilities(signal);
  const { place } = (await ExportSites.read(api, options, signal)).require(vm.cluster);
  const sizes = await copySizes(request, { api, capabilities }, signal);
  const bytes = total(disks, sizes);
  const slot = await StagingSlot.take({ options, place, title: `the export of ${vm.name}`, bytes }, context);
  try {
    const { dataCenter, storageDomain } = (await ExportSites.read(api, options, signal)).require(vm.cluster);
    await proveSite(storageDomain, place.folder, signal);
    const domains = await api.infrastructure.attachedStorageDomains(dataCenter.id, signal);
    const cloneDomain = findCloneDomain(options.cloneDomain, domains);
    assertRoomForClones({ disks, sizes, domains, cloneDomain });
    await assertRoomInFolder(place, bytes);
    return slot;
  } catch (error) {
    await slot.release();
    throw error;
  }
}
