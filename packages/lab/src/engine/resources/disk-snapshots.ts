import type { EngineApi } from "../engine-api.ts";
import type { EngineCore } from "../engine-core.ts";
import { notFound } from "../engine-fault.ts";
import { ok, reference } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { get, type Route } from "../http/router.ts";
import { known } from "../inventory.ts";
import { isXmlObject, type XmlObject, type XmlValue } from "../xml/xml-value.ts";

/** `/storagedomains/{domain}/disksnapshots`, and those of one disk below it. */
export function diskSnapshotRoutes({ core }: EngineApi): readonly Route[] {
  const ofDomain = (id: string): readonly XmlObject[] => {
    if (!core.state.inventory.storageDomains.some((domain) => domain.id === id)) throw notFound();
    return diskSnapshotContents(core)
      .filter(({ domainId }) => domainId === id)
      .map(({ content }) => content);
  };
  const ofDisk = (request: ApiRequest): readonly XmlObject[] => {
    const { id } = core.disk(request.param("disk"));
    const path = `/disks/${id}/disksnapshots`;
    const below = (volume: XmlValue): XmlObject | undefined =>
      isXmlObject(volume) ? reference(path, String(volume["@id"])) : undefined;
    return diskSnapshotContents(core)
      .filter(({ diskId }) => diskId === id)
      .map(({ content }) => ({ ...content, ...below(content), parent: below(content["parent"]) }));
  };
  return [
    get("/storagedomains/:domain/disksnapshots", (request) =>
      ok("disk_snapshots", { disk_snapshot: ofDomain(request.param("domain")) }),
    ),
    get("/storagedomains/:domain/disksnapshots/:volume", (request) => {
      const content = ofDomain(request.param("domain")).find((one) => one["@id"] === request.param("volume"));
      if (content === undefined) throw notFound();
      return ok("disk_snapshot", content);
    }),
    get("/disks/:disk/disksnapshots", (request) => ok("disk_snapshots", { disk_snapshot: ofDisk(request) })),
    get("/disks/:disk/disksnapshots/:volume", (request) => {
      const content = ofDisk(request).find((one) => one["@id"] === request.param("volume"));
      if (content === undefined) throw notFound();
      return ok("disk_snapshot", content);
    }),
  ];
}

interface DiskSnapshot {
  readonly diskId: string;
  readonly domainId: string;
  readonly content: XmlObject;
}

/** Volumes frozen by snapshots; the id of a disk snapshot is the id of its volume. */
function diskSnapshotContents({ state, behaviour }: EngineCore): readonly DiskSnapshot[] {
  return Object.values(state.vms).flatMap((vm) =>
    vm.snapshots.flatMap((snapshot, index) =>
      snapshot.volumes.flatMap(({ diskId, volumeId }) => {
        const disk = state.disks[diskId];
        if (disk === undefined) return [];
        const domain = known(state.inventory.storageDomains, disk.storageDomainId);
        const path = `/storagedomains/${domain.id}/disksnapshots`;
        const parent = vm.snapshots
          .slice(0, index)
          .flatMap(({ volumes }) => volumes)
          .findLast((volume) => volume.diskId === diskId);
        const content = {
          ...reference(path, volumeId),
          alias: disk.alias,
          image_id: volumeId,
          status: disk.status,
          provisioned_size: disk.provisionedBytes,
          disk: reference("/disks", diskId),
          snapshot: reference(`/vms/${vm.id}/snapshots`, snapshot.id),
          parent: parent === undefined || !behaviour.shallow ? undefined : reference(path, parent.volumeId),
          storage_domain: reference("/storagedomains", domain.id),
        };
        return [{ diskId, domainId: domain.id, content }];
      }),
    ),
  );
}
