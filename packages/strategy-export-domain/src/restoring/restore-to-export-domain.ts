import {
  observe,
  plural,
  type RestorePlan,
  type RestoreRequest,
  type RestoreSession,
  type RunContext,
} from "@ovault/contract";
import type { OvirtManager } from "@ovault/ovirt";
import { NewImage, type ExportDomain } from "@ovault/storage-domain";

import { StagedCopy } from "../exporting/staged-copy.ts";
import type { ExportDomainOptions } from "../options.ts";
import { assertRoomInFolder } from "../room/assert-room.ts";
import { StagingSlot } from "../room/staging-slot.ts";
import { openStaging } from "../staging/open-staging.ts";
import { proveSite } from "../staging/prove-site.ts";
import { designExport, type DesignedCopy, type ExportDesign } from "./export-design.ts";
import { ExportRestoreSession } from "./export-restore-session.ts";

/** Since this version of a domain, hosts write words for what a volume holds. */
const WORDS_SINCE = 4;

/** The steps of a restore, for people. Changes nothing. @throws what the restore would throw at its start */
export async function planExportRestore(
  manager: OvirtManager,
  options: ExportDomainOptions,
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<RestorePlan> {
  const capabilities = await manager.capabilities(signal);
  const design = await designExport({ api: manager.api, capabilities, options }, request, signal);
  await assertRoomInFolder(design.site.place, design.stagedBytes);
  const { site, copies, imported, warnings } = design;
  const { name } = request;
  return {
    steps: [
      ...copies.map(
        ({ record: { disk }, bytes }) => `put disk ${disk.alias} (${bytes} bytes, raw) into ${site.place.folder}`,
      ),
      `put the configuration of ${name} into export domain ${site.storageDomain.name}`,
      ...(imported === undefined
        ? [`leave it there for an administrator to import`]
        : [
            `import ${name} into cluster ${imported.cluster.name}`,
            ...imported.nics.map(({ nic, target }) => `connect ${nic.name} to ${target}`),
            `remove it from the export domain`,
          ]),
      ...(request.start ? [`start ${name}`] : []),
    ],
    warnings,
  };
}

/** Opens new volumes in the export domain. Cleans up before it throws, as far as possible. */
export async function openExportRestore(
  manager: OvirtManager,
  options: ExportDomainOptions,
  request: RestoreRequest,
  context: RunContext,
): Promise<RestoreSession> {
  const { runId, hooks, ledger, signal } = context;
  const api = manager.apiFor(runId, hooks);
  const capabilities = await manager.capabilities(signal);
  const design = await designExport({ api, capabilities, options }, request, signal);
  const { place, storageDomain } = design.site;
  observe(hooks.phase, {
    phase: "open",
    detail: `creating ${plural(design.copies.length, "volume")} in ${place.folder}`,
  });
  for (const warning of design.warnings) observe(hooks.warning, warning);
  await assertRoomInFolder(place, design.stagedBytes);
  await proveSite(storageDomain, place.folder, signal);
  const title = `restored virtual machine ${request.name}`;
  const slot = await StagingSlot.take({ options, place, title, bytes: design.stagedBytes, beside: true }, context);
  const domain = await openStaging(place.folder, storageDomain.id);
  let copy: StagedCopy | undefined;
  try {
    const machine = { vmId: design.vmId, imageIds: design.copies.map(({ id }) => id) };
    copy = await StagedCopy.announce(domain, machine, { ledger, folder: place.folder, title });
    const images = await makeImages(domain, design);
    return new ExportRestoreSession({ api, options, request, design, domain, slot, copy, images }, context);
  } catch (error) {
    await copy?.remove().catch(() => undefined);
    await slot.release();
    await domain[Symbol.asyncDispose]();
    throw error;
  }
}

async function makeImages(domain: ExportDomain, { copies }: ExportDesign): Promise<readonly NewImage[]> {
  const images: NewImage[] = [];
  try {
    for (const copy of copies) images.push(await makeImage(domain, copy));
    return images;
  } catch (error) {
    for (const image of images) await image.remove();
    throw error;
  }
}

async function makeImage(domain: ExportDomain, { record, id, volumeId, bytes }: DesignedCopy): Promise<NewImage> {
  const { alias } = record.disk;
  const image = await NewImage.create(domain, id, {
    id: volumeId,
    capacityBytes: bytes,
    format: "raw",
    sparse: true,
    diskType: domain.metadata.version < WORDS_SINCE ? "2" : "DATA",
    description: JSON.stringify({ DiskAlias: alias, DiskDescription: "" }),
    createdAt: new Date(),
  });
  try {
    await image.file.truncate(bytes);
    return image;
  } catch (error) {
    await image.remove();
    throw error;
  }
}
