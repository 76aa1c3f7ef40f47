import { element, field, reference } from "../engine/build-xml.ts";
import type { EngineCaller } from "../engine/engine-caller.ts";
import type { XmlElement } from "../engine/xml-element.ts";
import { attachmentOfDisk, type DiskAttachment } from "../model/disk-attachment.ts";
import { parseDisk } from "../model/engine-disk.ts";
import { action } from "./action.ts";
import { path } from "./paths.ts";
import type { AttachedDisk, DiskAttachmentChange } from "./attached-disk.ts";

/**
 * `/vms/{id}/disks`: the disks of a machine in version 3, where a disk holds its connection to the machine.
 *
 * Forms of the requests: rsdl_metadata.yaml, BackendVmDisksResource and BackendVmDiskResource of oVirt engine 3.6.7.
 */
export class VmDisksVersion3 {
  readonly #engine: EngineCaller;

  constructor(engine: EngineCaller) {
    this.#engine = engine;
  }

  /**
   * The engine reads only id, `active`, `read_only` and `snapshot` of a disk that it attaches; an update sets the rest,
   * before the disk is plugged. A snapshot's disk keeps the connection that the disk has.
   */
  async attach(vmId: string, disk: AttachedDisk, signal: AbortSignal): Promise<DiskAttachment> {
    const { diskId, snapshotId, interface: connection, bootable, usesScsiReservation } = disk;
    const isSnapshot = snapshotId !== undefined;
    const body = element(
      "disk",
      { id: diskId },
      field("active", isSnapshot && disk.active),
      field("read_only", disk.readOnly),
      reference("snapshot", snapshotId),
    );
    const attached = await this.#engine.post(path("vms", vmId, "disks"), body, { signal });
    if (isSnapshot) return attachmentOfDisk(parseDisk(attached));
    const change = {
      interface: connection,
      bootable,
      ...(usesScsiReservation !== undefined && { usesScsiReservation }),
      ...(disk.active && { active: true }),
    };
    await this.update(vmId, diskId, change, signal);
    return attachmentOfDisk(parseDisk(await this.#engine.get(path("vms", vmId, "disks", diskId), { signal })));
  }

  /** Leaves out what version 3 does not know: `passDiscard` and `backup`. Plugging is an action of its own. */
  async update(
    vmId: string,
    diskId: string,
    change: DiskAttachmentChange & { readonly interface?: string },
    signal: AbortSignal,
  ): Promise<void> {
    const place = path("vms", vmId, "disks", diskId);
    const fields = [
      field("bootable", change.bootable),
      field("description", change.description),
      field("interface", change.interface),
      field("propagate_errors", change.propagateErrors),
      field("read_only", change.readOnly),
      field("uses_scsi_reservation", change.usesScsiReservation),
      field("wipe_after_delete", change.wipeAfterDelete),
    ].filter((one) => one !== undefined);
    if (fields.length > 0) await this.#engine.put(place, element("disk", {}, fields), { signal });
    if (change.active === undefined) return;
    const plug = path("vms", vmId, "disks", diskId, change.active ? "activate" : "deactivate");
    await this.#engine.post(plug, action(), { signal });
  }

  /** Without `detach` the engine would remove the disk. */
  detach(vmId: string, diskId: string, signal: AbortSignal): Promise<XmlElement> {
    const body = action(field("detach", true));
    return this.#engine.delete(path("vms", vmId, "disks", diskId), { body, signal });
  }
}
