import type { EngineApi } from "../engine-api.ts";
import { ownAttachments } from "../attachments.ts";
import type { EngineCore } from "../engine-core.ts";
import type { SnapshotState, SnapshotVolume, VmState } from "../engine-state.ts";
import { notFound } from "../engine-fault.ts";
import { accepted, actionDone, linksBelow, ok, reference, type ApiReply } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { get, post, remove, type Route } from "../http/router.ts";
import type { XmlObject } from "../xml/xml-value.ts";
import { diskContent } from "./disks.ts";

/** `/vms/{vm}/snapshots`, which always include the active one. */
export function snapshotRoutes({ core, snapshots }: EngineApi): readonly Route[] {
  const disksOf = async (request: ApiRequest): Promise<readonly XmlObject[]> => {
    const vm = core.vm(request.param("vm"));
    const id = request.param("snapshot");
    const volumes = id === vm.activeSnapshotId ? activeVolumes(core, vm) : snapshots.get(vm.id, id).volumes;
    return Promise.all(
      volumes.map(async ({ diskId, volumeId }) => ({
        ...(await diskContent(core, core.disk(diskId), volumeId)),
        snapshot: { "@id": id },
      })),
    );
  };
  return [
    get("/vms/:vm/snapshots", (request) => {
      const vm = core.vm(request.param("vm"));
      const kept = vm.snapshots.map((snapshot) => snapshotContent(vm, snapshot, request));
      return ok("snapshots", { snapshot: [activeContent(vm), ...kept] });
    }),
    post("/vms/:vm/snapshots", (request) => {
      const vm = core.vm(request.param("vm"));
      const chosen = request.body.child("disk_attachments");
      const snapshot = snapshots.create(vm.id, {
        description: request.body.text("description") ?? "",
        memory: request.body.flag("persist_memorystate") ?? true,
        diskIds: chosen
          ?.children("disk_attachment", "disk")
          .map((disk) => disk.attribute("id"))
          .filter((id) => id !== undefined),
        correlationId: request.correlationId,
      });
      return accepted("snapshot", snapshotContent(vm, snapshot, request));
    }),
    get("/vms/:vm/snapshots/:snapshot", (request): ApiReply => {
      const vm = core.vm(request.param("vm"));
      const id = request.param("snapshot");
      if (id === vm.activeSnapshotId) return ok("snapshot", activeContent(vm));
      return ok("snapshot", snapshotContent(vm, snapshots.get(vm.id, id), request));
    }),
    remove("/vms/:vm/snapshots/:snapshot", (request) => {
      snapshots.remove(request.param("vm"), request.param("snapshot"), request.correlationId);
      return actionDone();
    }),
    get("/vms/:vm/snapshots/:snapshot/disks", async (request) => ok("disks", { disk: await disksOf(request) })),
    get("/vms/:vm/snapshots/:snapshot/disks/:disk", async (request) => {
      const content = (await disksOf(request)).find((disk) => disk["@id"] === request.param("disk"));
      if (content === undefined) throw notFound();
      return ok("disk", content);
    }),
  ];
}

/** The volumes that the machine itself writes to. */
function activeVolumes(core: EngineCore, vm: VmState): readonly SnapshotVolume[] {
  return ownAttachments(vm).map(({ diskId }) => ({ diskId, volumeId: core.disk(diskId).imageId }));
}

function snapshotContent(vm: VmState, snapshot: SnapshotState, request: ApiRequest): XmlObject {
  const path = `/vms/${vm.id}/snapshots`;
  return {
    ...reference(path, snapshot.id),
    description: snapshot.description,
    ...linksBelow(`${path}/${snapshot.id}`, "disks"),
    date: snapshot.createdAt,
    initialization: request.allContent ? { configuration: { data: snapshot.ovf, type: "ovf" } } : undefined,
    persist_memorystate: snapshot.memory ?? false,
    snapshot_status: snapshot.status,
    snapshot_type: "regular",
    vm: reference("/vms", vm.id),
  };
}

function activeContent(vm: VmState): XmlObject {
  return {
    ...reference(`/vms/${vm.id}/snapshots`, vm.activeSnapshotId),
    description: "Active VM",
    ...linksBelow(`/vms/${vm.id}/snapshots/${vm.activeSnapshotId}`, "disks"),
    date: vm.createdAt,
    persist_memorystate: false,
    snapshot_status: "ok",
    snapshot_type: "active",
  };
}
