import { EngineAnswerError } from "../engine/errors.ts";
import { parseXml } from "../engine/parse-xml.ts";
import type { XmlElement } from "../engine/xml-element.ts";
import type { EngineVersion } from "../model/engine-version.ts";

/** What a restore needs from the OVF that an engine wrote for a virtual machine (not the dialect inside an OVA). */
export interface OvfDescription {
  readonly name: string;
  readonly description: string;
  readonly deleteProtected: boolean;
  /** Compatibility version of its cluster. */
  readonly compatibility: EngineVersion | undefined;
  /** Compatibility version that the machine has regardless of its cluster. */
  readonly customCompatibility: EngineVersion | undefined;
  readonly tpm: boolean;
  /** It boots from UEFI firmware, which keeps its own variables. */
  readonly uefi: boolean;
  /** Firmware state in the OVF, in the engine's words: `tpm`, `nvram`. Only in the OVF of a snapshot. */
  readonly firmware: ReadonlySet<string>;
  /** One entry for each disk, regardless of its snapshots. */
  readonly disks: readonly OvfDisk[];
  readonly nics: readonly OvfNic[];
}

export interface OvfDisk {
  readonly diskId: string;
  /** The active volume. For a LUN: the disk's own id. */
  readonly volumeId: string;
  readonly alias: string | undefined;
  readonly bootable: boolean;
  /** In the API's words: `virtio`, `virtio_scsi`, `ide`, `sata`, `spapr_vscsi`. */
  readonly interface: string | undefined;
}

export interface OvfNic {
  readonly id: string | undefined;
  readonly name: string;
  readonly mac: string | undefined;
  readonly network: string | undefined;
  readonly profile: string | undefined;
  readonly linked: boolean;
  readonly plugged: boolean;
}

/**
 * `BiosType`: Q35 with OVMF, and the same with Secure Boot. Engines of all versions write the numbers of those before
 * 4.4, whatever numbers they use internally since.
 */
const UEFI: ReadonlySet<string> = new Set(["2", "3"]);
const EXTERNAL_DATA = "ovf:VmExternalDataSection_Type";

/** The OVF of a machine with hundreds of disks and snapshots takes a megabyte. */
const MAX_OVF_CHARACTERS = 32 * 1024 * 1024;

/** Resource types of CIM, as in `rasd:ResourceType`. */
const NETWORK_CARD = "10";
const DISK_DRIVE = "17";

/** @throws EngineAnswerError when the text is not an engine's OVF */
export function readOvf(text: string): OvfDescription {
  const ovf = parseOvf(text);
  return {
    name: ovf.name.text.trim(),
    description: ovf.description?.text ?? "",
    deleteProtected: isTrue(ovf.deleteProtected?.text),
    compatibility: versionOf(ovf.content.value("ClusterCompatibilityVersion")),
    customCompatibility: versionOf(ovf.content.value("CustomCompatibilityVersion")),
    tpm: ovf.content.descendants("Item").some((item) => item.value("Type")?.toLowerCase() === "tpm"),
    uefi: UEFI.has(ovf.content.value("BiosType") ?? ""),
    firmware: firmwareIn(ovf.content),
    disks: readDisks(ovf.volumes),
    nics: ovf.networkCards.map(readNic),
  };
}

/** Engines name these elements differently; an attribute holds their kind. */
function firmwareIn(content: XmlElement): ReadonlySet<string> {
  const section = content.all("Section").find(({ attributes }) => attributes.get("xsi:type") === EXTERNAL_DATA);
  const kinds = section?.children.flatMap(({ attributes }) => [...attributes.values()]) ?? [];
  return new Set(kinds.map((kind) => kind.toLowerCase()));
}

/** The elements of an OVF that concern what a restore changes. */
export interface OvfElements {
  readonly content: XmlElement;
  readonly name: XmlElement;
  readonly description: XmlElement | undefined;
  readonly deleteProtected: XmlElement | undefined;
  readonly files: readonly XmlElement[];
  /** One for each volume: a disk with snapshots has several. */
  readonly volumes: readonly XmlElement[];
  readonly diskDrives: readonly XmlElement[];
  readonly networkCards: readonly XmlElement[];
  readonly snapshots: readonly XmlElement[];
}

/** @throws EngineAnswerError when the text is not an engine's OVF */
export function parseOvf(text: string): OvfElements {
  if (text.length > MAX_OVF_CHARACTERS) throw new EngineAnswerError("the OVF is larger than any of a virtual machine");
  const root = parseXml(text);
  const content = root.child("Content");
  const name = content?.child("Name");
  if (root.name !== "ovf:Envelope" || content === undefined || name === undefined) {
    throw new EngineAnswerError("this is not the OVF of a virtual machine as an oVirt engine writes it");
  }
  const items = content.descendants("Item");
  return {
    content,
    name,
    description: content.child("Description"),
    deleteProtected: content.child("DeleteProtected"),
    files: root.child("References")?.all("File") ?? [],
    volumes: root.all("Section").flatMap((section) => section.all("Disk")),
    diskDrives: items.filter((item) => item.value("rasd:ResourceType") === DISK_DRIVE),
    networkCards: items.filter((item) => item.value("rasd:ResourceType") === NETWORK_CARD),
    snapshots: content.descendants("Snapshot"),
  };
}

/** Ids of the disks that the configuration lists as devices of any kind. @throws EngineAnswerError */
export function attachedDiskIds(text: string): readonly string[] {
  return parseOvf(text).diskDrives.flatMap((drive) => diskIdOf(drive) ?? []);
}

/** The disk of a volume, file or drive: they write `DISK/VOLUME`, or `DISK` alone for a LUN. */
export function diskIdOf(element: XmlElement): string | undefined {
  const place = element.value("ovf:fileRef") ?? element.value("ovf:href") ?? element.value("rasd:HostResource");
  return place?.split("/")[0];
}

function readDisks(volumes: readonly XmlElement[]): OvfDisk[] {
  return [...activeVolumes(volumes)].map(([diskId, volume]) => ({
    diskId,
    volumeId: volume.value("ovf:diskId") ?? diskId,
    alias: volume.value("ovf:disk-alias"),
    bootable: flag(volume, "ovf:boot") ?? false,
    interface: volume.value("ovf:disk-interface")?.toLowerCase(),
  }));
}

/** For each disk id, the volume that no other volume is built upon. */
export function activeVolumes(volumes: readonly XmlElement[]): ReadonlyMap<string, XmlElement> {
  const parents = new Set(volumes.map((volume) => volume.value("ovf:parentRef")));
  const active = new Map<string, XmlElement>();
  for (const volume of volumes) {
    const diskId = diskIdOf(volume);
    const isParent = parents.has(volume.value("ovf:fileRef")) || parents.has(volume.value("ovf:diskId"));
    if (diskId !== undefined && (!isParent || !active.has(diskId))) active.set(diskId, volume);
  }
  return active;
}

function readNic(item: XmlElement): OvfNic {
  return {
    id: item.value("rasd:InstanceId"),
    name: item.value("rasd:Name") ?? item.value("rasd:ElementName") ?? "",
    mac: item.value("rasd:MACAddress"),
    network: item.value("rasd:Connection"),
    profile: item.value("rasd:OtherResourceType"),
    linked: flag(item, "rasd:Linked") ?? true,
    plugged: flag(item, "IsPlugged") ?? true,
  };
}

function versionOf(text: string | undefined): EngineVersion | undefined {
  const [full, major, minor] = /^(\d+)\.(\d+)/.exec(text ?? "") ?? [];
  return full === undefined ? undefined : { major: Number(major), minor: Number(minor), build: 0, full };
}

function flag(element: XmlElement, name: string): boolean | undefined {
  const value = element.value(name);
  return value === undefined ? undefined : isTrue(value);
}

/** Like an engine reading its own OVF: `true` in any case is true, anything else is false. */
function isTrue(value: string | undefined): boolean {
  return value?.trim().toLowerCase() === "true";
}
