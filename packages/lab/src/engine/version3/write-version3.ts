import { API_PATH } from "../http/api-path.ts";
import { isXmlObject, valuesOf, type XmlDocument, type XmlObject, type XmlValue } from "../xml/xml-value.ts";

type Entry = readonly [name: string, value: XmlValue];

/** What version 3 has in place of an element. */
type Change = (value: XmlValue) => readonly Entry[];

/** Elements that version 3 does not know. */
const NEWER = [
  "backup",
  "block_size",
  "content_type",
  "cpu_pinning_policy",
  "discard_after_delete",
  "original_template",
  "pass_discard",
  "qcow_version",
  "storage_error_resume_behaviour",
  "supports_discard",
  "total_size",
  "tpm_enabled",
  "uses_scsi_reservation",
] as const;

const NEWER_LINKS: readonly XmlValue[] = ["backups", "checkpoints", "imagetransfers"];

const withState = (name: string): Change => {
  return (value) => [[name, isXmlObject(value) ? value : { state: value }]];
};

const withAttributes = (name: string): Change => {
  return (value) => [[name, isList(value) ? value.map(attributesOf) : attributesOf(value)]];
};

const changes: Readonly<Record<string, Change>> = {
  ...Object.fromEntries(NEWER.map((name) => [name, () => []])),
  architecture: (value) => [["architecture", String(value).toUpperCase()]],
  bios: (value) => [["bios", without(value, "type")]],
  boot: (value) => [["boot", below(value, "devices", "device").map((device) => ({ "@dev": device }))]],
  cpu: (value) => [["cpu", typeAsAttribute(value, "@id")]],
  custom_property: withAttributes("custom_property"),
  data_centers: (value) => [["data_centers", withoutHrefs(value)]],
  disk_attachments: (value) => [["disks", value]],
  external_status: withState("external_status"),
  mac: withAttributes("mac"),
  os: (value) => [["os", typeAsAttribute(value, "@type")]],
  plugged: (value) => [
    ["active", value],
    ["plugged", value],
  ],
  provisioned_size: (value) => [
    ["size", value],
    ["provisioned_size", value],
  ],
  snapshot_type: (value) => [["type", value]],
  special_objects: (value) => [["special_objects", specialObjects(value)]],
  status: withState("status"),
  storage_domains: (value) => [["storage_domains", withoutHrefs(value)]],
  time_zone: (value) => [
    ["timezone", below(value, "name")[0]],
    ["time_zone", value],
  ],
  topology: withAttributes("topology"),
  version: versionOf,
  custom_compatibility_version: withAttributes("custom_compatibility_version"),
};

/**
 * An answer of version 4 in the elements of version 3.
 * @param base - where the client found the API
 */
export function writeVersion3({ root, content }: XmlDocument, base: string): XmlDocument {
  return { root, content: changed(content, root, base) };
}

function changed(object: XmlObject, name: string, base: string): XmlObject {
  const parent: readonly Entry[] =
    name === "tag" && object["parent"] !== undefined ? [["parent", { tag: object["parent"] }]] : [];
  const collection = name === "storage_domains" || name === "data_centers";
  const entries = [...Object.entries(object).filter(([key]) => parent.length === 0 || key !== "parent"), ...parent];
  return Object.fromEntries(
    entries.flatMap(([key, value]): readonly Entry[] => {
      if (key === "@href") return [[key, hrefBelow(String(value), base)]];
      if (key === "link") return [[key, links(object).map((link) => changed(link, "link", base))]];
      const change = collection ? undefined : changes[key];
      const replaced = change === undefined || value === undefined ? [[key, value] as const] : change(value);
      return replaced.map(([to, inner]) => [to, changedValue(inner, to, base)]);
    }),
  );
}

function changedValue(value: XmlValue, name: string, base: string): XmlValue {
  if (isXmlObject(value)) return changed(value, name, base);
  return isList(value) ? value.map((item) => changedValue(item, name, base)) : value;
}

function links(object: XmlObject): readonly XmlObject[] {
  return valuesOf(object, "link")
    .filter(isXmlObject)
    .filter((link) => !NEWER_LINKS.includes(link["@rel"]))
    .map((link) =>
      link["@rel"] === "diskattachments"
        ? { "@href": String(link["@href"]).replace(/diskattachments$/, "disks"), "@rel": "disks" }
        : link,
    );
}

function hrefBelow(href: string, base: string): string {
  const path = href.startsWith(API_PATH) ? `${base}${href.slice(API_PATH.length)}` : href;
  return path.replace(/\/diskattachments(?=\/|$)/, "/disks");
}

/** The full version is an element of its own beside the numbers. A template's version has none. */
function versionOf(value: XmlValue): readonly Entry[] {
  if (!isXmlObject(value) || value["major"] === undefined) return [["version", value]];
  const { full_version: full, ...numbers } = value;
  return [
    ["version", attributesOf(numbers)],
    ["full_version", full],
  ];
}

function specialObjects(value: XmlValue): XmlValue {
  if (!isXmlObject(value)) return value;
  const { blank_template: blank, root_tag: root } = value;
  return { link: [linkTo(blank, "templates/blank"), linkTo(root, "tags/root")] };
}

function linkTo(target: XmlValue, rel: string): XmlObject {
  return { "@href": below(target, "@href")[0], "@rel": rel };
}

function typeAsAttribute(value: XmlValue, attribute: string): XmlValue {
  if (!isXmlObject(value)) return value;
  const { type, ...rest } = value;
  return { ...(type !== undefined && { [attribute]: type }), ...rest };
}

function withoutHrefs(value: XmlValue): XmlValue {
  if (isList(value)) return value.map(withoutHrefs);
  const rest = without(value, "@href");
  if (!isXmlObject(rest)) return rest;
  return Object.fromEntries(Object.entries(rest).map(([key, inner]) => [key, withoutHrefs(inner)]));
}

function without(value: XmlValue, name: string): XmlValue {
  if (!isXmlObject(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name));
}

function attributesOf(value: XmlValue): XmlValue {
  if (!isXmlObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key.startsWith("@") ? key : `@${key}`, inner]),
  );
}

/** Values at a path. */
function below(value: XmlValue, ...path: readonly string[]): readonly XmlValue[] {
  return path.reduce<readonly XmlValue[]>(
    (found, name) => found.flatMap((one) => (isXmlObject(one) ? valuesOf(one, name) : [])),
    [value],
  );
}

function isList(value: XmlValue): value is readonly XmlValue[] {
  return Array.isArray(value);
}
