import { attachmentOf } from "../attachments.ts";
import type { EngineApi } from "../engine-api.ts";
import { diskInterfaces, type AttachmentState, type VmState } from "../engine-state.ts";
import { accepted, actionDone, created, ok, reference, type ApiReply } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { get, post, put, remove, type Route } from "../http/router.ts";
import { incomplete } from "../engine-fault.ts";
import { requireKept } from "../xml/require-kept.ts";
import type { XmlObject } from "../xml/xml-value.ts";
import { changeDisk, readDisk } from "./disks.ts";

/** `/vms/{vm}/diskattachments`. The id of an attachment is the id of its disk. */
export function diskAttachmentRoutes(api: EngineApi): readonly Route[] {
  const { core, attachments, vms } = api;
  const here = (request: ApiRequest): ApiReply => {
    const vm = core.vm(request.param("vm"));
    return ok("disk_attachment", attachmentContent(vm, attachmentOf(vm, request.param("disk"))));
  };
  return [
    get("/vms/:vm/diskattachments", (request) => {
      const vm = core.vm(request.param("vm"));
      const all = vm.attachments.map((attachment) => attachmentContent(vm, attachment));
      return ok("disk_attachments", { disk_attachment: all });
    }),
    post("/vms/:vm/diskattachments", (request) => attach(api, request)),
    get("/vms/:vm/diskattachments/:disk", here),
    put("/vms/:vm/diskattachments/:disk", async (request) => {
      const { body } = request;
      const [vm, diskId] = [core.vm(request.param("vm")), request.param("disk")];
      const attachment = attachmentOf(vm, diskId);
      requireKept(body, ATTACHMENT_ELEMENTS, "a disk attachment");
      const disk = body.child("disk");
      if (disk !== undefined) await changeDisk(api, core.disk(diskId), disk);
      const bootable = body.flag("bootable");
      if (bootable !== undefined) vms.setBootable(vm.id, diskId, bootable);
      attachment.interface = body.choice(diskInterfaces, "interface") ?? attachment.interface;
      attachment.readOnly = body.flag("read_only") ?? attachment.readOnly;
      attachment.passDiscard = body.flag("pass_discard") ?? attachment.passDiscard ?? false;
      attachment.usesScsiReservation = body.flag("uses_scsi_reservation") ?? attachment.usesScsiReservation ?? false;
      const active = body.flag("active");
      if (active !== undefined) await attachments.setActive(vm.id, diskId, active);
      core.store.changed();
      return here(request);
    }),
    remove("/vms/:vm/diskattachments/:disk", async (request) => {
      const keep = request.query.get("detach_only") !== "false";
      await attachments.detach(request.param("vm"), request.param("disk"), { keep });
      return actionDone();
    }),
  ];
}

/** Elements of a `disk_attachment` that the lab keeps, or that clients send back unchanged. */
const ATTACHMENT_ELEMENTS = [
  "active",
  "bootable",
  "disk",
  "interface",
  "logical_name",
  "pass_discard",
  "read_only",
  "uses_scsi_reservation",
  "vm",
] as const;

/** Attaches an existing disk or a snapshot of one, or makes a new disk and attaches it as soon as it exists. */
async function attach({ core, attachments }: EngineApi, request: ApiRequest): Promise<ApiReply> {
  const vm = core.vm(request.param("vm"));
  const body = request.body;
  requireKept(body, ATTACHMENT_ELEMENTS, "a disk attachment");
  const disk = body.child("disk");
  const connection = body.choice(diskInterfaces, "interface");
  if (disk === undefined) throw incomplete("DiskAttachment", "disk");
  if (connection === undefined) throw incomplete("DiskAttachment", "interface");
  const attachment = {
    bootable: body.flag("bootable") ?? false,
    active: body.flag("active") ?? false,
    interface: connection,
    readOnly: body.flag("read_only") ?? false,
    passDiscard: body.flag("pass_discard") ?? false,
    usesScsiReservation: body.flag("uses_scsi_reservation") ?? false,
  };
  const existing = core.state.disks[disk.attribute("id") ?? ""];
  if (existing === undefined) {
    const attached = attachments.attachNew(vm.id, readDisk(core, disk), attachment);
    return accepted("disk_attachment", attachmentContent(vm, attached));
  }
  const snapshotId = disk.child("snapshot")?.attribute("id");
  const attached = { ...attachment, diskId: existing.id, ...(snapshotId !== undefined && { snapshotId }) };
  await attachments.attach(vm.id, attached);
  return created("disk_attachment", attachmentContent(vm, attached));
}

function attachmentContent(vm: VmState, attachment: AttachmentState): XmlObject {
  return {
    ...reference(`/vms/${vm.id}/diskattachments`, attachment.diskId),
    active: attachment.active,
    bootable: attachment.bootable,
    interface: attachment.interface,
    pass_discard: attachment.passDiscard ?? false,
    read_only: attachment.readOnly,
    uses_scsi_reservation: attachment.usesScsiReservation ?? false,
    disk: reference("/disks", attachment.diskId),
    vm: reference("/vms", vm.id),
  };
}
