import type { EngineApi } from "../engine-api.ts";
import type { SnapshotState, VmState } from "../engine-state.ts";
import { notFound } from "../engine-fault.ts";
import { accepted, actionDone, linksBelow, ok, reference, type ApiReply } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { get, post, remove, type Route } from "../http/router.ts";
import type { XmlObject } from "../xml/xml-value.ts";
import { diskContent } from "./disks.ts";

/** `/vms/{vm}/snapshots`. The active one is always there. */
export function snapshotRoutes({ core, snapshots }: EngineApi): readonly Route[] {
  const disksOf = async (request: ApiRequest): Promise<readonly XmlObject[]> => {
    const snapshot = snapshots.get(request.param("vm"), request.param("snapshot"));
    return Promise.all(snapshot.volumes.map(({ diskId, volumeId }) => diskContent(core, core.disk(diskId), volumeId)));
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
    date: vm.createdAt,
    persist_memorystate: false,
    snapshot_status: "ok",
    snapshot_type: "active",
  };
}
