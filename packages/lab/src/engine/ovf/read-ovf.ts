import { XMLParser, XMLValidator } from "fast-xml-parser";

import { badRequest } from "../engine-fault.ts";
import { diskInterfaces, type AttachmentState } from "../engine-state.ts";
import { XmlNode } from "../xml/read-xml.ts";
import { resourceTypes } from "./ovf-words.ts";

/** What the lab's engine takes over from an OVF. */
export interface OvfMachine {
  readonly id?: string;
  readonly name?: string;
  readonly description?: string;
  readonly memoryBytes?: number;
  readonly cores?: number;
  readonly os?: string;
  readonly disks: readonly AttachmentState[];
  readonly nics: readonly OvfNic[];
}

export interface OvfNic {
  readonly name: string;
  /** Name of the vnic profile, as far as the OVF tells. */
  readonly profile?: string;
  readonly mac?: string;
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  parseTagValue: false,
  parseAttributeValue: false,
  removeNSPrefix: true,
  ignoreDeclaration: true,
  htmlEntities: true,
});
const MIB = 1024 * 1024;

/** Reads the engine's own dialect of OVF (not the OVA one). @throws EngineFault 400 when it is none. */
export function readOvf(text: string): OvfMachine {
  if (XMLValidator.validate(text) !== true) throw badRequest("Cannot import VM. Invalid OVF configuration.");
  const envelope = new XmlNode("", parser.parse(text)).child("Envelope");
  const content = envelope?.child("Content");
  if (envelope === undefined || content === undefined) {
    throw badRequest("Cannot import VM. Invalid OVF configuration.");
  }
  const sections = [...envelope.children("Section"), ...content.children("Section")];
  const system = sections.find((section) => section.attribute("type")?.includes("OperatingSystemSection"));
  const hardware = sections.find((section) => section.attribute("type")?.includes("VirtualHardwareSection"));
  const items = hardware?.children("Item") ?? [];
  const ofType = (type: number): readonly XmlNode[] => items.filter((item) => item.integer("ResourceType") === type);
  const memoryMib = ofType(resourceTypes.memory)[0]?.integer("VirtualQuantity");
  return {
    ...defined("id", system?.attribute("id")),
    ...defined("name", content.text("Name")),
    ...defined("description", content.text("Description")),
    ...defined("memoryBytes", memoryMib === undefined ? undefined : memoryMib * MIB),
    ...defined("cores", ofType(resourceTypes.cpu)[0]?.integer("VirtualQuantity")),
    ...defined("os", system?.text("Description")),
    disks: diskElements(envelope).map(readDisk),
    nics: ofType(resourceTypes.network).map(readNic),
  };
}

function diskElements(envelope: XmlNode): readonly XmlNode[] {
  return [...envelope.children("Section", "Disk"), ...envelope.children("DiskSection", "Disk")];
}

/** `fileRef` is `DISK/VOLUME`; the disk is found again by the first part. */
function readDisk(element: XmlNode): AttachmentState {
  const word = (element.attribute("disk-interface") ?? "VirtIO_SCSI").toLowerCase();
  return {
    diskId: (element.attribute("fileRef") ?? "").split("/")[0] ?? "",
    bootable: element.attribute("boot") === "true",
    active: true,
    interface: diskInterfaces.find((name) => name === word) ?? "virtio_scsi",
    readOnly: element.attribute("read-only") === "true",
  };
}

function readNic(item: XmlNode): OvfNic {
  return {
    name: item.text("Name") ?? item.text("ElementName") ?? "nic1",
    ...defined("profile", item.text("OtherResourceType")),
    ...defined("mac", item.text("MACAddress")),
  };
}

function defined<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  const entry: Partial<Record<K, V>> = {};
  if (value !== undefined) entry[key] = value;
  return entry;
}
