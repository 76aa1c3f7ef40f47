import type { XmlElement } from "../engine/xml-element.ts";
import { parseDiskAttachment, type DiskAttachment } from "./disk-attachment.ts";
import { parseNic, type Nic } from "./nic.ts";
import { parseTagName } from "./tag.ts";
import { settingsOf } from "./vm-settings.ts";

/** A virtual machine as the engine shows it. */
export interface Vm {
  readonly id: string;
  readonly name: string;
  readonly description: string | undefined;
  readonly comment: string | undefined;
  /** `up`, `down`, `paused`, `image_locked`…; `unknown` where the engine sends none. */
  readonly status: string;
  readonly clusterId: string | undefined;
  /** Its current host. */
  readonly hostId: string | undefined;
  readonly templateId: string | undefined;
  /** `ovirt`, `rhev`, `managed_hosted_engine`, `hosted_engine`, `vmware`… */
  readonly origin: string | undefined;
  readonly memoryBytes: number | undefined;
  /** Architecture of the processor: `x86_64`, `ppc64`, `s390x`. */
  readonly architecture: string | undefined;
  readonly stateless: boolean;
  readonly deleteProtected: boolean;
  /** It has a VirtIO-SCSI controller. Some engines report it only with `all_content`, some never. */
  readonly virtioScsi: boolean | undefined;
  readonly creationTime: string | undefined;
  /** The configuration as OVF; only with `all_content`. */
  readonly ovf: string | undefined;
  /** Its settings in the form of an update, in XML; only with `all_content`. */
  readonly settings: string | undefined;
  /** Only where the answer followed the link (4.2 and `follow=disk_attachments`); else undefined. */
  readonly diskAttachments: readonly DiskAttachment[] | undefined;
  /** Only where the answer followed the link. */
  readonly nics: readonly Nic[] | undefined;
  /** Names of the tags; only where the answer followed the link. */
  readonly tags: readonly string[] | undefined;
}

/** Parses one `<vm>`. */
export function parseVm(element: XmlElement): Vm {
  const ovf = parseOvf(element);
  return {
    id: element.requireId("vm"),
    name: element.value("name") ?? "",
    description: element.value("description"),
    comment: element.value("comment"),
    status: element.state("status") ?? "unknown",
    clusterId: element.idOf("cluster"),
    hostId: element.idOf("host"),
    templateId: element.idOf("template"),
    origin: element.value("origin"),
    memoryBytes: element.int("memory"),
    architecture: element.value("cpu", "architecture")?.toLowerCase(),
    stateless: element.bool("stateless") ?? false,
    deleteProtected: element.bool("delete_protected") ?? false,
    virtioScsi: element.bool("virtio_scsi", "enabled"),
    creationTime: element.value("creation_time"),
    ovf,
    settings: ovf === undefined ? undefined : settingsOf(element),
    diskAttachments: element.child("disk_attachments")?.all("disk_attachment").map(parseDiskAttachment),
    nics: element.child("nics")?.all("nic").map(parseNic),
    tags: element.child("tags")?.all("tag").map(parseTagName),
  };
}

/** The OVF inside a `<vm>` or `<snapshot>`, unchanged. */
export function parseOvf(element: XmlElement): string | undefined {
  const configuration = element.child("initialization", "configuration");
  if (configuration?.value("type") !== "ovf") return undefined;
  return configuration.child("data")?.text;
}
