import { XMLParser, XMLValidator } from "fast-xml-parser";

import { badRequest } from "../engine-fault.ts";
import { diskInterfaces, type AttachmentState, type NicState } from "../engine-state.ts";
import { XmlNode } from "../xml/read-xml.ts";
import { readOvfSettings, type VmSettings } from "../vm-settings.ts";
import { deviceSettings, nicTypes, resourceTypes } from "./ovf-words.ts";

/** The parts of an OVF that the lab's engine uses. */
export interface OvfMachine {
  readonly id?: string;
  readonly name?: string;
  readonly templateId?: string;
  readonly settings: VmSettings;
  readonly disks: readonly AttachmentState[];
  readonly nics: readonly OvfNic[];
}

export interface OvfNic extends Pick<NicState, "interface" | "linked" | "plugged"> {
  readonly name: string;
  /** Name of the vnic profile, if the OVF has it. */
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

/** Reads the engine's own dialect of OVF (not the OVA one). @throws EngineFault 400 when it is invalid. */
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
  return {
    ...defined("id", system?.attribute("id")),
    ...defined("name", content.text("Name")),
    ...defined("templateId", content.text("TemplateId")),
    settings: {
      ...readOvfSettings(content),
      ...hardwareSettings(ofType),
      ...deviceSettingsOf(ofType(resourceTypes.other)),
      ...defined("os.type", system?.text("Description")),
    },
    disks: diskElements(envelope).map(readDisk),
    nics: ofType(resourceTypes.network).map(readNic),
  };
}

function hardwareSettings(ofType: (type: number) => readonly XmlNode[]): VmSettings {
  const [cpu, memory, monitor, usb] = [
    ofType(resourceTypes.cpu)[0],
    ofType(resourceTypes.memory)[0],
    ofType(resourceTypes.monitor)[0],
    ofType(resourceTypes.usb)[0],
  ];
  const memoryMib = memory?.integer("VirtualQuantity");
  const usbPolicy = usb?.text("UsbPolicy");
  return {
    ...defined("cpu.topology.sockets", cpu?.text("num_of_sockets") ?? cpu?.text("VirtualQuantity")),
    ...defined("cpu.topology.cores", cpu?.text("cpu_per_socket")),
    ...defined("cpu.topology.threads", cpu?.text("threads_per_cpu")),
    ...defined("memory", memoryMib === undefined ? undefined : String(memoryMib * MIB)),
    ...defined("display.monitors", monitor?.text("VirtualQuantity")),
    ...defined("display.type", ofType(resourceTypes.graphics)[0]?.text("Device")),
    ...defined("usb.enabled", usbPolicy === undefined ? undefined : String(usbPolicy !== "DISABLED")),
  };
}

/** An OVF without any controller does not list devices; every engine writes some. */
function deviceSettingsOf(items: readonly XmlNode[]): VmSettings {
  if (!items.some((item) => item.text("Type") === "controller")) return {};
  const has = ({ type, device }: { readonly type: string; readonly device: string }): boolean =>
    items.some((item) => item.text("Type") === type && item.text("Device") === device);
  return Object.fromEntries(Object.entries(deviceSettings).map(([path, device]) => [path, String(has(device))]));
}

function diskElements(envelope: XmlNode): readonly XmlNode[] {
  return [...envelope.children("Section", "Disk"), ...envelope.children("DiskSection", "Disk")];
}

/** `fileRef` is `DISK/VOLUME`; the first part identifies the disk. */
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
    interface: nicTypes.find(([, type]) => type === item.integer("ResourceSubType"))?.[0] ?? "virtio",
    linked: item.text("Linked") !== "false",
    plugged: item.text("IsPlugged") !== "false",
    ...defined("profile", item.text("OtherResourceType")),
    ...defined("mac", item.text("MACAddress")),
  };
}

function defined<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  const entry: Partial<Record<K, V>> = {};
  if (value !== undefined) entry[key] = value;
  return entry;
}
