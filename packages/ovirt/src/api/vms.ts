import { element, field, reference, type XmlFragment } from "../engine/build-xml.ts";
import type { EngineCaller } from "../engine/engine-caller.ts";
import { attachmentOfDisk, parseDiskAttachment, type DiskAttachment } from "../model/disk-attachment.ts";
import { parseDisk, type EngineDisk } from "../model/engine-disk.ts";
import { parseNamed, type Named } from "../model/named.ts";
import { parseNic, type Nic, type NicFilter } from "../model/nic.ts";
import { parseList } from "../model/parse-list.ts";
import { parsePermission, type Permission } from "../model/permission.ts";
import { parseReportedDevice, type ReportedDevice } from "../model/reported-device.ts";
import { parseTagName } from "../model/tag.ts";
import { parseVm, type Vm } from "../model/vm.ts";
import { action } from "./action.ts";
import type { AttachedDisk, DiskAttachmentChange } from "./attached-disk.ts";
import { orUndefined } from "./if-missing.ts";
import { path } from "./paths.ts";
import { VmDisksVersion3 } from "./vm-disks-version3.ts";

/** Optional parts of the answer. */
export interface VmDetail {
  /** The engine's search language, e.g. `name=web*`. Lists only. */
  readonly search?: string;
  /** Links to inline (4.2): `disk_attachments.disk`, `nics`, `tags`. Older engines ignore it. */
  readonly follow?: string;
  /** Fill `ovf`. Costs the engine time. */
  readonly allContent?: boolean;
}

export interface NewVmFromOvf {
  readonly name: string;
  readonly clusterId: string;
  /** An engine's own OVF. */
  readonly ovf: string;
  /** A new id for the machine, and new MAC addresses. False: both as in the OVF; a conflict when they are in use. */
  readonly regenerateIds: boolean;
}

/** A machine of its own, made from a snapshot of another. */
export interface SnapshotClone {
  readonly name: string;
  readonly description: string;
  readonly clusterId: string;
  readonly snapshotId: string;
  /** Puts these disks of the snapshot into one storage domain. Default: each where it is. */
  readonly placement?: { readonly diskIds: readonly string[]; readonly storageDomainId: string } | undefined;
}

/** Settings of a machine to change; those that are `undefined` stay. */
export interface VmChange {
  /** Empty: none. */
  readonly description?: string | undefined;
  readonly deleteProtected?: boolean | undefined;
  /** Further elements of a `<vm>`. */
  readonly settings?: readonly XmlFragment[] | undefined;
}

/** A role that a user or a group has on something. */
export interface GivenRole {
  readonly roleId: string;
  readonly userId?: string | undefined;
  readonly groupId?: string | undefined;
}

export interface NicChange {
  /** `virtio`, `e1000`… */
  readonly interface?: string;
  readonly vnicProfileId?: string;
  readonly mac?: string;
  readonly plugged?: boolean;
  readonly linked?: boolean;
}

const BLANK_TEMPLATE = "00000000-0000-0000-0000-000000000000";

/** `/vms` */
export class VmService {
  readonly #engine: EngineCaller;
  readonly #disksVersion3: VmDisksVersion3;

  constructor(engine: EngineCaller) {
    this.#engine = engine;
    this.#disksVersion3 = new VmDisksVersion3(engine);
  }

  /** All that the user may see, or those that match the search. */
  async list(detail: VmDetail, signal: AbortSignal): Promise<readonly Vm[]> {
    const query = { search: detail.search, follow: detail.follow, all_content: detail.allContent };
    return parseList(await this.#engine.get("/vms", { query, signal }), "vms", "vm", parseVm);
  }

  /** @throws EntityNotFoundError */
  async get(vmId: string, detail: Omit<VmDetail, "search">, signal: AbortSignal): Promise<Vm> {
    const query = { follow: detail.follow, all_content: detail.allContent };
    return parseVm(await this.#engine.get(path("vms", vmId), { query, signal }));
  }

  find(vmId: string, signal: AbortSignal, detail: Omit<VmDetail, "search"> = {}): Promise<Vm | undefined> {
    return orUndefined(this.get(vmId, detail, signal));
  }

  /** The machine of exactly this name, in any data center; the engine's search alone would match more. */
  async byName(name: string, signal: AbortSignal): Promise<Vm | undefined> {
    const search = `name="${name.replaceAll('"', "*")}"`;
    const vms = await this.list({ search }, signal);
    return vms.find((vm) => vm.name === name);
  }

  /** Without `follow`, version 4 tells only the ids of the disks; version 3 always tells all. */
  async diskAttachments(vmId: string, follow: boolean, signal: AbortSignal): Promise<readonly DiskAttachment[]> {
    if ((await this.#engine.apiVersion(signal)) === 3) {
      const disks = parseList(
        await this.#engine.get(path("vms", vmId, "disks"), { signal }),
        "disks",
        "disk",
        parseDisk,
      );
      return disks.map(attachmentOfDisk);
    }
    const query = follow ? { follow: "disk" } : {};
    const root = await this.#engine.get(path("vms", vmId, "diskattachments"), { query, signal });
    return parseList(root, "disk_attachments", "disk_attachment", parseDiskAttachment);
  }

  findDiskAttachment(vmId: string, diskId: string, signal: AbortSignal): Promise<DiskAttachment | undefined> {
    return orUndefined(this.diskAttachment(vmId, diskId, signal));
  }

  /** @throws EntityNotFoundError */
  async diskAttachment(vmId: string, diskId: string, signal: AbortSignal): Promise<DiskAttachment> {
    if ((await this.#engine.apiVersion(signal)) === 3) {
      return attachmentOfDisk(parseDisk(await this.#engine.get(path("vms", vmId, "disks", diskId), { signal })));
    }
    return parseDiskAttachment(await this.#engine.get(path("vms", vmId, "diskattachments", diskId), { signal }));
  }

  /** Disks with the volume that a snapshot froze as `imageId`. */
  async snapshotDisks(vmId: string, snapshotId: string, signal: AbortSignal): Promise<readonly EngineDisk[]> {
    const root = await this.#engine.get(path("vms", vmId, "snapshots", snapshotId, "disks"), { signal });
    return parseList(root, "disks", "disk", parseDisk);
  }

  async attachDisk(vmId: string, disk: AttachedDisk, signal: AbortSignal): Promise<DiskAttachment> {
    if ((await this.#engine.apiVersion(signal)) === 3) return this.#disksVersion3.attach(vmId, disk, signal);
    const body = element(
      "disk_attachment",
      {},
      field("active", disk.active),
      field("bootable", disk.bootable),
      field("interface", disk.interface),
      field("pass_discard", disk.passDiscard),
      field("read_only", disk.readOnly),
      field("uses_scsi_reservation", disk.usesScsiReservation),
      element("disk", { id: disk.diskId }, reference("snapshot", disk.snapshotId)),
    );
    return parseDiskAttachment(await this.#engine.post(path("vms", vmId, "diskattachments"), body, { signal }));
  }

  /** Changes only the given fields of the attachment and of the disk itself. */
  async updateDiskAttachment(
    vmId: string,
    diskId: string,
    change: DiskAttachmentChange,
    signal: AbortSignal,
  ): Promise<void> {
    if ((await this.#engine.apiVersion(signal)) === 3) {
      return this.#disksVersion3.update(vmId, diskId, change, signal);
    }
    const { active, bootable, passDiscard, readOnly, usesScsiReservation, ...disk } = change;
    const body = element(
      "disk_attachment",
      {},
      field("active", active),
      field("bootable", bootable),
      field("pass_discard", passDiscard),
      field("read_only", readOnly),
      field("uses_scsi_reservation", usesScsiReservation),
      Object.keys(disk).length === 0
        ? undefined
        : element(
            "disk",
            {},
            field("backup", disk.backup),
            field("description", disk.description),
            field("propagate_errors", disk.propagateErrors),
            field("wipe_after_delete", disk.wipeAfterDelete),
          ),
    );
    await this.#engine.put(path("vms", vmId, "diskattachments", diskId), body, { signal });
  }

  /** Keeps the disk itself. Succeeds if the disk is not attached. */
  async detachDisk(vmId: string, diskId: string, signal: AbortSignal): Promise<void> {
    const query = { detach_only: true };
    const detached =
      (await this.#engine.apiVersion(signal)) === 3
        ? this.#disksVersion3.detach(vmId, diskId, signal)
        : this.#engine.delete(path("vms", vmId, "diskattachments", diskId), { query, signal });
    await orUndefined(detached);
  }

  /**
   * The engine attaches the OVF's disks by id and reports failures only as events, so compare `diskAttachments`
   * afterwards. Answers when the machine is made (4.5), or earlier: wait for its status.
   *
   * @throws EngineConflictError at once, when the name (or an id that is to be kept) is in use.
   */
  async createFromOvf(vm: NewVmFromOvf, signal: AbortSignal): Promise<Vm> {
    const body = element(
      "vm",
      {},
      field("name", vm.name),
      reference("cluster", vm.clusterId),
      element(
        "initialization",
        {},
        element("configuration", {}, field("data", vm.ovf), field("type", "ovf")),
        field("regenerate_ids", vm.regenerateIds),
      ),
    );
    return parseVm(await this.#engine.post("/vms", body, { signal, conflictDeadlineMs: 0 }));
  }

  /** Copies the disks. Resolves while the clone is still `image_locked`; wait until it is `down`. */
  async cloneSnapshot(clone: SnapshotClone, signal: AbortSignal): Promise<Vm> {
    const { placement } = clone;
    const disks = placement?.diskIds.map((id) => {
      const domain = reference("storage_domain", placement.storageDomainId);
      return element("disk", { id }, field("storage_domains", domain));
    });
    const old = disks !== undefined && (await this.#engine.apiVersion(signal)) === 3;
    const body = element(
      "vm",
      {},
      field("name", clone.name),
      field("description", clone.description),
      reference("cluster", clone.clusterId),
      reference("template", BLANK_TEMPLATE),
      old
        ? field("disks", disks)
        : field(
            "disk_attachments",
            disks?.map((disk) => field("disk_attachment", disk)),
          ),
      element("snapshots", {}, reference("snapshot", clone.snapshotId)),
    );
    return parseVm(await this.#engine.post("/vms", body, { signal }));
  }

  /**
   * Copies a machine that is down into an active export domain. Resolves while the machine is still `image_locked`.
   *
   * @param options.discardSnapshots one volume for each disk @param options.exclusive replaces a copy that lies there
   */
  async export(
    vmId: string,
    options: { readonly storageDomainId: string; readonly discardSnapshots: boolean; readonly exclusive: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const body = action(
      field("discard_snapshots", options.discardSnapshots),
      field("exclusive", options.exclusive),
      reference("storage_domain", options.storageDomainId),
    );
    await this.#engine.post(path("vms", vmId, "export"), body, { signal });
  }

  /** Changes only the given settings. */
  async update(vmId: string, change: VmChange, signal: AbortSignal): Promise<void> {
    const body = element(
      "vm",
      {},
      field("delete_protected", change.deleteProtected),
      field("description", change.description),
      change.settings,
    );
    await this.#engine.put(path("vms", vmId), body, { signal });
  }

  async start(vmId: string, signal: AbortSignal): Promise<void> {
    await this.#engine.post(path("vms", vmId, "start"), action(), { signal });
  }

  /** Asks the guest to power off. Resolves while the machine is still `powering_down`. */
  async shutdown(vmId: string, signal: AbortSignal): Promise<void> {
    await this.#engine.post(path("vms", vmId, "shutdown"), action(), { signal });
  }

  /** Powers off immediately, like pulling the plug. */
  async stop(vmId: string, signal: AbortSignal): Promise<void> {
    await this.#engine.post(path("vms", vmId, "stop"), action(), { signal });
  }

  /**
   * Freezes the file systems of a running guest through its agent. Resolves when they are frozen, which may take long.
   * After a failure the freeze may still take effect later. @throws EngineConflictError at once, when the machine is
   * not up.
   */
  async freezeFilesystems(vmId: string, signal: AbortSignal): Promise<void> {
    const options = { signal, conflictDeadlineMs: 0 };
    await this.#engine.post(path("vms", vmId, "freezefilesystems"), action(), options);
  }

  /** Thaws what `freezeFilesystems` froze; has no effect otherwise. May be repeated. */
  async thawFilesystems(vmId: string, signal: AbortSignal): Promise<void> {
    const options = { signal, conflictDeadlineMs: 0, idempotent: true };
    await this.#engine.post(path("vms", vmId, "thawfilesystems"), action(), options);
  }

  /** Removes the machine and, unless `keepDisks`, its disks. Succeeds if the machine is gone already. */
  async delete(vmId: string, options: { readonly keepDisks: boolean }, signal: AbortSignal): Promise<void> {
    const { keepDisks } = options;
    // Version 3 takes the wish as a body (rsdl_metadata.yaml of oVirt engine 3.6.7), and removes the disks otherwise.
    const parameters =
      (await this.#engine.apiVersion(signal)) === 3
        ? { body: action(field("vm", keepDisks ? element("disks", {}, field("detach_only", true)) : undefined)) }
        : { query: keepDisks ? { detach_only: true } : {} };
    await orUndefined(this.#engine.delete(path("vms", vmId), { ...parameters, signal }));
  }

  async nics(vmId: string, signal: AbortSignal): Promise<readonly Nic[]> {
    const query = { follow: "network_filter_parameters" };
    return parseList(await this.#engine.get(path("vms", vmId, "nics"), { query, signal }), "nics", "nic", parseNic);
  }

  /** Adds a parameter of the network filter that the card's profile has. */
  async addNicFilter(vmId: string, nicId: string, { name, value }: NicFilter, signal: AbortSignal): Promise<void> {
    const body = element("network_filter_parameter", {}, field("name", name), field("value", value));
    await this.#engine.post(path("vms", vmId, "nics", nicId, "networkfilterparameters"), body, { signal });
  }

  /** Names of the tags that the machine carries. */
  async tags(vmId: string, signal: AbortSignal): Promise<readonly string[]> {
    return parseList(await this.#engine.get(path("vms", vmId, "tags"), { signal }), "tags", "tag", parseTagName);
  }

  /** The tag must exist. */
  async addTag(vmId: string, name: string, signal: AbortSignal): Promise<void> {
    await this.#engine.post(path("vms", vmId, "tags"), element("tag", {}, field("name", name)), { signal });
  }

  /** Roles that users and groups have on the machine itself, with names where the engine follows links (4.2). */
  async permissions(vmId: string, signal: AbortSignal): Promise<readonly Permission[]> {
    const query = { follow: "role,user,group" };
    const root = await this.#engine.get(path("vms", vmId, "permissions"), { query, signal });
    return parseList(root, "permissions", "permission", parsePermission);
  }

  async addPermission(vmId: string, { roleId, userId, groupId }: GivenRole, signal: AbortSignal): Promise<void> {
    const who = [reference("group", groupId), reference("user", userId)];
    const body = element("permission", {}, ...who, reference("role", roleId));
    await this.#engine.post(path("vms", vmId, "permissions"), body, { signal });
  }

  /** Affinity labels that the machine carries (4.1). */
  async affinityLabels(vmId: string, signal: AbortSignal): Promise<readonly Named[]> {
    const root = await this.#engine.get(path("vms", vmId, "affinitylabels"), { signal });
    return parseList(root, "affinity_labels", "affinity_label", (label) => parseNamed(label, "affinity_label"));
  }

  /** What the guest agent reports; empty without an agent. */
  async reportedDevices(vmId: string, signal: AbortSignal): Promise<readonly ReportedDevice[]> {
    const root = await this.#engine.get(path("vms", vmId, "reporteddevices"), { signal });
    return parseList(root, "reported_devices", "reported_device", parseReportedDevice);
  }

  /** Changes only the given fields. An empty `vnicProfileId` disconnects the card. */
  async updateNic(vmId: string, nicId: string, change: NicChange, signal: AbortSignal): Promise<Nic> {
    const body = element(
      "nic",
      {},
      field("interface", change.interface),
      field("linked", change.linked),
      field("mac", change.mac === undefined ? undefined : field("address", change.mac)),
      field("plugged", change.plugged),
      profile(change.vnicProfileId),
    );
    return parseNic(await this.#engine.put(path("vms", vmId, "nics", nicId), body, { signal }));
  }

  /** Adds a card; the engine assigns a MAC address unless the change names one. */
  async addNic(vmId: string, nic: NicChange & { readonly name: string }, signal: AbortSignal): Promise<Nic> {
    const body = element(
      "nic",
      {},
      field("interface", nic.interface),
      field("linked", nic.linked),
      field("mac", nic.mac === undefined ? undefined : field("address", nic.mac)),
      field("name", nic.name),
      field("plugged", nic.plugged),
      profile(nic.vnicProfileId),
    );
    return parseNic(await this.#engine.post(path("vms", vmId, "nics"), body, { signal }));
  }
}

/** The engine understands an empty element as the empty profile. */
function profile(id: string | undefined): ReturnType<typeof reference> {
  return id === "" ? element("vnic_profile", {}) : reference("vnic_profile", id);
}
