import type { DiskFormat } from "@ovault/contract";

import type { EngineApi } from "../engine-api.ts";
import type { EngineCore } from "../engine-core.ts";
import { incomplete, notFound } from "../engine-fault.ts";
import type { DiskState, StorageDomain } from "../engine-state.ts";
import { accepted, actionDone, created, linksBelow, ok, reference } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { get, post, put, remove, type Route } from "../http/router.ts";
import { searched, type SearchTable } from "../http/search.ts";
import type { DiskRequest } from "../operations/disk-operations.ts";
import type { UnregisteredDisk } from "../operations/unregistered-disk-operations.ts";
import { findNamed, isBlock, known } from "../inventory.ts";
import type { XmlNode } from "../xml/read-xml.ts";
import { requireKept } from "../xml/require-kept.ts";
import type { XmlObject } from "../xml/xml-value.ts";

/** Volume groups of block storage consist of pieces of this size. */
const EXTENT_BYTES = 128 * 1024 * 1024;

/** `/disks`: made, read, changed, removed. */
export function diskRoutes({ core, disks, diskMoves, unregisteredDisks }: EngineApi): readonly Route[] {
  const list = async (chosen: readonly DiskState[]) =>
    ok("disks", { disk: await Promise.all(chosen.map((disk) => diskContent(core, disk))) });
  const onDomain = (request: ApiRequest): DiskState => {
    const found = disksOn(core, request.param("domain")).find(({ id }) => id === request.param("disk"));
    if (found === undefined) throw notFound();
    return found;
  };
  return [
    get("/disks", (request) => list(searched(request, Object.values(core.state.disks), diskSearch(core)))),
    post("/disks", async (request) => {
      const disk = disks.create(readDisk(core, request.body));
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
    post("/disks/:disk/sparsify", (request) => {
      disks.sparsify(request.param("disk"));
      return actionDone();
    }),
    post("/disks/:disk/move", (request) => {
      const { body, correlationId } = request;
      const target = findNamed(core.state.inventory.storageDomains, "Action", body, "storage_domain");
      return actionDone(diskMoves.move(request.param("disk"), target, correlationId));
    }),
    get("/storagedomains/:domain/disks", async (request) => {
      const domainId = request.param("domain");
      if (!isAsked(request, "unregistered")) return list(disksOn(core, domainId));
      const found = await unregisteredDisks.list(domainId);
      return ok("disks", { disk: found.map((disk) => unregisteredContent(domainId, disk)) });
    }),
    post("/storagedomains/:domain/disks", async (request) => {
      const domainId = request.param("domain");
      const id = request.body.attribute("id");
      if (!isAsked(request, "unregistered")) {
        const disk = disks.create({ ...readDisk(core, request.body), storageDomainId: domainId });
        return accepted("disk", await diskContent(core, disk));
      }
      if (id === undefined) throw incomplete("Disk", "id");
      const disk = await unregisteredDisks.register(domainId, id, request.body.text("alias"));
      return created("disk", await diskContent(core, disk));
    }),
    post("/datacenters/:center/storagedomains/:domain/disks/:disk/register", async (request) => {
      await unregisteredDisks.register(request.param("domain"), request.param("disk"));
      return actionDone();
    }),
    post("/storagedomains/:domain/disks/:disk/register", async (request) => {
      await unregisteredDisks.register(request.param("domain"), request.param("disk"));
      return actionDone();
    }),
    get("/storagedomains/:domain/disks/:disk", async (request) =>
      ok("disk", await diskContent(core, onDomain(request))),
    ),
    remove("/storagedomains/:domain/disks/:disk", (request) => {
      disks.remove(onDomain(request).id);
      return actionDone();
    }),
  ];
}

/** `?unregistered=true` or `;unregistered`. */
function isAsked({ query }: ApiRequest, name: string): boolean {
  return query.has(name) && query.get(name) !== "false";
}

/** A disk that the engine does not know yet. */
function unregisteredContent(domainId: string, { id, alias, volumes }: UnregisteredDisk): XmlObject {
  const top = volumes.at(-1) ?? volumes[0];
  return {
    ...reference(`/storagedomains/${domainId}/disks`, id),
    name: alias,
    alias,
    format: top.format,
    image_id: top.volumeId,
    provisioned_size: top.virtualBytes,
    sparse: top.sparse,
    status: "ok",
    storage_type: "image",
    storage_domains: { storage_domain: reference("/storagedomains", domainId) },
  };
}

/** Searchable fields of `/disks`. Sizes are bytes. */
function diskSearch(core: EngineCore): SearchTable<DiskState> {
  const { storageDomains, dataCenters } = core.state.inventory;
  const domain = ({ storageDomainId }: DiskState): StorageDomain => known(storageDomains, storageDomainId);
  const dataCenter = (disk: DiskState): string => known(dataCenters, domain(disk).dataCenterId).name;
  const vmNames = ({ id }: DiskState): readonly string[] => core.vmsOf(id).map(({ name }) => name);
  return {
    fields: {
      id: ({ id }) => id,
      name: ({ alias }) => alias,
      alias: ({ alias }) => alias,
      description: ({ description }) => description,
      status: ({ status }) => status,
      size: ({ provisionedBytes }) => provisionedBytes,
      provisioned_size: ({ provisionedBytes }) => provisionedBytes,
      creation_date: ({ createdAt }) => createdAt,
      shareable: ({ shareable }) => shareable,
      wipe_after_delete: ({ wipeAfterDelete }) => wipeAfterDelete,
      disk_type: () => "image",
      disk_content_type: () => "data",
      allocation_policy: ({ sparse }) => (sparse ? "sparse" : "preallocated"),
      number_of_vms: (disk) => vmNames(disk).length,
      vm_names: vmNames,
      storage: (disk) => domain(disk).name,
      "storage.name": (disk) => domain(disk).name,
      datacenter: dataCenter,
      "datacenter.name": dataCenter,
    },
    unplayed: ["actual_size", "datacenter.", "last_modified", "quota", "storage."],
  };
}

/** @throws EngineFault 404 */
function disksOn({ state }: EngineCore, domainId: string): readonly DiskState[] {
  const all = [...state.inventory.storageDomains, ...state.dataDomains];
  if (!all.some(({ id }) => id === domainId)) throw notFound();
  return Object.values(state.disks).filter(({ storageDomainId }) => storageDomainId === domainId);
}

/** Elements of a `disk` that the lab keeps, that only count at creation, or that clients send back unchanged. */
const DISK_ELEMENTS = [
  "actions",
  "actual_size",
  "alias",
  "backup",
  "content_type",
  "description",
  "format",
  "image_id",
  "initial_size",
  "link",
  "name",
  "propagate_errors",
  "provisioned_size",
  "qcow_version",
  "shareable",
  "snapshot",
  "sparse",
  "status",
  "storage_domain",
  "storage_domains",
  "storage_type",
  "total_size",
  "vms",
  "wipe_after_delete",
] as const;

/** Applies the changeable elements of a `disk`. */
export async function changeDisk(
  { core, disks }: Pick<EngineApi, "core" | "disks">,
  disk: DiskState,
  body: XmlNode,
): Promise<void> {
  requireKept(body, DISK_ELEMENTS, "a disk");
  const backup = body.choice(["none", "incremental"], "backup");
  const bytes = body.integer("provisioned_size");
  if (backup !== undefined && backup !== disk.backup) disks.setBackup(disk.id, backup);
  if (bytes !== undefined && bytes !== disk.provisionedBytes) await disks.resize(disk.id, bytes);
  disk.alias = body.text("alias") ?? body.text("name") ?? disk.alias;
  disk.description = body.exactText("description") ?? disk.description;
  disk.wipeAfterDelete = body.flag("wipe_after_delete") ?? disk.wipeAfterDelete;
  disk.shareable = body.flag("shareable") ?? disk.shareable;
  disk.propagateErrors = body.flag("propagate_errors") ?? disk.propagateErrors ?? false;
  core.store.changed();
}

/** Reads a new `disk`. */
export function readDisk({ state }: EngineCore, body: XmlNode): DiskRequest {
  requireKept(body, DISK_ELEMENTS, "a disk");
  const domains = body.child("storage_domains");
  const byName = domains?.child("storage_domain", "name") !== undefined;
  const found = byName ? findNamed(state.inventory.storageDomains, "Disk", domains, "storage_domain") : undefined;
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
    propagateErrors: body.flag("propagate_errors"),
    storageDomainId: found?.id ?? domains?.child("storage_domain")?.attribute("id"),
  };
}

/** A disk as it is now, or in a snapshot, selected by the id of its volume. */
export async function diskContent(core: EngineCore, disk: DiskState, volumeId = disk.imageId): Promise<XmlObject> {
  const shown = await shownVolume(core, disk, volumeId);
  return {
    ...reference("/disks", disk.id),
    name: disk.alias,
    description: disk.description,
    ...linksBelow(`/disks/${disk.id}`, "disksnapshots"),
    actual_size: shown.actualBytes,
    alias: disk.alias,
    backup: disk.backup,
    content_type: core.behaviour.chainSize ? "data" : undefined,
    format: shown.format,
    image_id: volumeId,
    propagate_errors: disk.propagateErrors ?? false,
    provisioned_size: shown.virtualBytes,
    qcow_version: shown.format === "cow" ? "qcow2_v3" : undefined,
    shareable: disk.shareable,
    sparse: shown.sparse,
    status: disk.status,
    storage_type: "image",
    total_size: core.behaviour.chainSize ? shown.totalBytes : undefined,
    wipe_after_delete: disk.wipeAfterDelete,
    storage_domains: { storage_domain: reference("/storagedomains", disk.storageDomainId) },
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
 * Engines show the active volume, not the original format: it is QCOW2 above a snapshot, whatever is below. A locked
 * disk may be under creation or removal and then has no volumes.
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
    const shown = { format: volume.format, sparse: sparse || at > 0, virtualBytes };
    if (!isBlock(known(core.state.inventory.storageDomains, disk.storageDomainId))) {
      return { ...shown, actualBytes: volume.actualBytes, totalBytes };
    }
    const total = chain.reduce((sum, { fileBytes }) => sum + inExtents(fileBytes), 0);
    return { ...shown, actualBytes: inExtents(volume.fileBytes), totalBytes: total };
  } catch (error) {
    if (disk.status === "ok") throw error;
    return asMade;
  }
}

/** Size of a logical volume of this content. */
function inExtents(bytes: number): number {
  return Math.ceil(bytes / EXTENT_BYTES) * EXTENT_BYTES;
}
