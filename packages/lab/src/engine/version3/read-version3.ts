import { isXmlObject, valuesOf, type XmlDocument, type XmlObject, type XmlValue } from "../xml/xml-value.ts";

type Entry = readonly [name: string, value: XmlValue];
type Change = (value: XmlValue) => readonly Entry[];

const withElements = (name: string): Change => {
  return (value) => [[name, elementsOf(value)]];
};

const changes: Readonly<Record<string, Change>> = {
  boot: (value) => [["boot", { devices: { device: below(value, "@dev") } }]],
  custom_compatibility_version: withElements("custom_compatibility_version"),
  custom_property: withElements("custom_property"),
  disks: (value) => [
    ["disk_attachments", { disk_attachment: below(value, "disk").map(attachmentOf) }],
    ...below(value, "detach_only").map((wish) => ["detach_only", wish] as const),
  ],
  mac: withElements("mac"),
  os: withElements("os"),
  parent: (value) => [["parent", below(value, "tag")[0] ?? value]],
  size: (value) => [["provisioned_size", value]],
  timezone: (value) => [["time_zone", { name: value }]],
  topology: withElements("topology"),
  version: withElements("version"),
};

/** Of a disk that is attached, until an update sets another. */
const FIRST_INTERFACE = "virtio";

/** Elements that belong to the disk's connection to a machine. */
const CONNECTION = ["active", "bootable", "interface", "read_only"];

/** A request of version 3 in the elements of version 4. */
export function readVersion3({ root, content }: XmlDocument): XmlDocument {
  return { root, content: changed(content) };
}

/** What an engine of version 3 reads of a disk that it attaches: BackendVmDisksResource of oVirt engine 3.6. */
export function existingDisk(disk: XmlObject): XmlObject {
  const { "@id": id, active, read_only, snapshot } = disk;
  return { active, read_only, interface: FIRST_INTERFACE, disk: { "@id": id, snapshot } };
}

/** A disk of a machine as an attachment. */
export function attachmentOf(disk: XmlValue): XmlObject {
  if (!isXmlObject(disk)) return {};
  const entries = Object.entries(disk);
  const connection = entries.filter(([name]) => CONNECTION.includes(name));
  const rest = entries.filter(([name]) => !CONNECTION.includes(name));
  return { ...Object.fromEntries(connection), disk: Object.fromEntries(rest) };
}

function changed(object: XmlObject): XmlObject {
  return Object.fromEntries(
    Object.entries(object).flatMap(([name, value]): readonly Entry[] =>
      (changes[name]?.(value) ?? [[name, value] as const]).map(([to, inner]) => [to, changedValue(inner)]),
    ),
  );
}

function changedValue(value: XmlValue): XmlValue {
  if (isXmlObject(value)) return changed(value);
  return isList(value) ? value.map(changedValue) : value;
}

/** Attributes, except for id and href, as elements. */
function elementsOf(value: XmlValue): XmlValue {
  if (isList(value)) return value.map(elementsOf);
  if (!isXmlObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name === "@id" || name === "@href" ? name : name.replace(/^@/, ""),
      inner,
    ]),
  );
}

function below(value: XmlValue, name: string): readonly XmlValue[] {
  const objects = isList(value) ? value : [value];
  return objects.flatMap((one) => (isXmlObject(one) ? valuesOf(one, name) : []));
}

function isList(value: XmlValue): value is readonly XmlValue[] {
  return Array.isArray(value);
}
