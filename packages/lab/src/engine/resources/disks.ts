import type { DiskFormat } from "@ovault/core";

import type { EngineApi } from "../engine-api.ts";
import type { EngineCore } from "../engine-core.ts";
import type { DiskState } from "../engine-state.ts";
import { accepted, actionDone, ok, reference } from "../http/api-reply.ts";
import { get, post, put, remove, type Route } from "../http/router.ts";
import { searched, type SearchFields } from "../http/search.ts";
import type { DiskRequest } from "../operations/disk-operations.ts";
import type { XmlNode } from "../xml/read-xml.ts";
import type { XmlObject } from "../xml/xml-value.ts";

/** `/disks`: made, read, changed, removed. */
export function diskRoutes({ core, disks }: EngineApi): readonly Route[] {
  const list = async (chosen: readonly DiskState[]) =>
    ok("disks", { disk: await Promise.all(chosen.map((disk) => diskContent(core, disk))) });
  return [
    get("/disks", (request) => list(searched(request, Object.values(core.state.disks), fieldsOf))),
    post("/disks", async (request) => {
      const disk = disks.create(readDisk(request.body));
      return accepted("disk", await diskContent(core, disk));
    }),
    get("/disks/:disk", async (request) => ok("disk", await diskContent(core, core.disk(request.param("disk"))))),
    put("/disks/:disk", async (request) => {
      const disk = core.disk(request.param("disk"));
      await changeDisk({ core, disks }, disk, request.body);
      return ok("disk", await diskContent(core, disk));
    }),
    remove("/disks/:disk", (request) => {
      disks.remove(request.param("disk"));
      return actionDone();
    }),
    get("/storagedomains/:domain/disks", () => list(Object.values(core.state.disks))),
  ];
}

function fieldsOf({ id, alias, status, format }: DiskState): SearchFields {
  return { id, name: alias, alias, status, format };
}

/** Applies the elements of a `disk` that may change later: name, description, size, backup. */
export async function changeDisk(
  { core, disks }: Pick<EngineApi, "core" | "disks">,
  disk: DiskState,
  body: XmlNode,
): Promise<void> {
  const backup = body.choice(["none", "incremental"], "backup");
  const bytes = body.integer("provisioned_size");
  if (backup !== undefined && backup !== disk.backup) disks.setBackup(disk.id, backup);
  if (bytes !== undefined && bytes !== disk.provisionedBytes) await disks.resize(disk.id, bytes);
  disk.alias = body.text("alias") ?? body.text("name") ?? disk.alias;
  disk.description = body.exactText("description") ?? disk.description;
  core.store.changed();
}

/** Reads a `disk` that is to be made. */
export function readDisk(body: XmlNode): DiskRequest {
  const domain = body.child("storage_domains", "storage_domain");
  return {
    id: body.attribute("id"),
    imageId: body.text("image_id"),
    alias: body.text("alias") ?? body.text("name"),
    description: body.text("description"),
    provisionedBytes: body.integer("provisioned_size"),
    initialBytes: body.integer("initial_size"),
    format: body.choice(["raw", "cow"], "format"),
    sparse: body.flag("sparse"),
    backup: body.choice(["none", "incremental"], "backup"),
    shareable: body.flag("shareable"),
    wipeAfterDelete: body.flag("wipe_after_delete"),
    storageDomainId: domain?.attribute("id"),
    storageDomainName: domain?.text("name"),
  };
}

/** A disk as it is now, or as a snapshot froze it: by the id of that volume. */
export async function diskContent(core: EngineCore, disk: DiskState, volumeId = disk.imageId): Promise<XmlObject> {
  const { storageDomain } = core.state.inventory;
  const shown = await shownVolume(core, disk, volumeId);
  return {
    ...reference("/disks", disk.id),
    name: disk.alias,
    description: disk.description,
    actual_size: shown.actualBytes,
    alias: disk.alias,
    backup: disk.backup,
    content_type: "data",
    format: shown.format,
    image_id: volumeId,
    propagate_errors: false,
    provisioned_size: shown.virtualBytes,
    qcow_version: shown.format === "cow" ? "qcow2_v3" : undefined,
    shareable: disk.shareable,
    sparse: shown.sparse,
    status: disk.status,
    storage_type: "image",
    total_size: shown.totalBytes,
    wipe_after_delete: disk.wipeAfterDelete,
    storage_domains: { storage_domain: reference("/storagedomains", storageDomain.id) },
  };
}

interface ShownVolume {
  readonly format: DiskFormat;
  readonly sparse: boolean;
  readonly virtualBytes: number;
  readonly actualBytes: number;
  readonly totalBytes: number;
}

/**
 * Engines show the volume, not what the disk was made as: on a snapshot lies QCOW2, whatever is below. A locked disk may be
 * in the making, or on its way out: it has no volumes then.
 */
async function shownVolume(core: EngineCore, disk: DiskState, volumeId: string): Promise<ShownVolume> {
  const { format, sparse, provisionedBytes } = disk;
  const asMade = { format, sparse, virtualBytes: provisionedBytes, actualBytes: 0, totalBytes: 0 };
  try {
    const { chain, totalBytes } = await core.hypervisor.diskInfo(disk.id);
    const at = chain.findIndex((volume) => volume.volumeId === volumeId);
    const volume = chain[at];
    if (volume === undefined) return { ...asMade, totalBytes };
    const virtualBytes = volumeId === disk.imageId ? provisionedBytes : volume.virtualBytes;
    const { actualBytes } = volume;
    return { format: volume.format, sparse: sparse || at > 0, virtualBytes, actualBytes, totalBytes };
  } catch (error) {
    if (disk.status === "ok") throw error;
    return asMade;
  }
}
