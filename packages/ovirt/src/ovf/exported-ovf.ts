import { randomUUID } from "node:crypto";

import { EngineAnswerError } from "../engine/errors.ts";
import type { XmlElement } from "../engine/xml-element.ts";
import { escapeXml } from "../engine/xml-references.ts";
import { editText, type TextEdit } from "./edit-text.ts";
import { activeVolumes, diskIdOf, parseOvf, type OvfElements } from "./read-ovf.ts";
import { rewriteOvf, type OvfRewrite } from "./rewrite-ovf.ts";

/** A disk in an export domain: a single volume, raw and sparse. */
export interface ExportedDisk {
  readonly id: string;
  readonly volumeId: string;
  /** Size that the guest sees. */
  readonly bytes: number;
}

export interface OvfExport extends Pick<OvfRewrite, "name" | "mac" | "tag"> {
  /** The id of the machine. */
  readonly vmId: string;
  /** By the id of the disk in the OVF. All other disks are left out. */
  readonly disks: ReadonlyMap<string, ExportedDisk>;
  /** `network`, or `network/profile`, in the OVF → the same in the export. */
  readonly networks: ReadonlyMap<string, string>;
}

const GIB = 1024 ** 3;
const NO_ID = "00000000-0000-0000-0000-000000000000";
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const OPERATING_SYSTEM = "ovf:OperatingSystemSection_Type";

/**
 * The OVF of a machine that is put into an export domain: as `rewriteOvf`, and with ids of its own, so that an engine
 * that has the original imports it beside that.
 *
 * @throws EngineAnswerError when the text is not an engine's OVF, or lacks one of the disks
 * @throws UsageError as `rewriteOvf`
 */
export function exportedOvf(original: string, wish: OvfExport): string {
  const { name, mac, tag, vmId, disks, networks } = wish;
  const ids = new Map([...disks].map(([diskId, { id }]) => [diskId, id]));
  const text = rewriteOvf(original, { name, mac, disks: ids, ...(tag !== undefined && { tag }) });
  const ovf = parseOvf(text);
  const volumes = activeVolumes(ovf.volumes);
  for (const { id } of disks.values()) {
    if (!volumes.has(id)) throw new EngineAnswerError(`the configuration of the machine does not name disk ${id}`);
  }
  const byId = new Map([...disks.values()].map((disk) => [disk.id, disk]));
  const edited = editText(
    text,
    [
      ...ovf.volumes.map((volume) => volumeEdit(volume, text, byId)),
      ...ovf.diskDrives.flatMap((drive) => [
        replaced(drive, "rasd:Parent", NO_ID),
        replaced(drive, "rasd:Template", NO_ID),
      ]),
      ...ovf.networkCards.flatMap((card) => cardEdits(card, networks)),
      replaced(ovf.content, "TemplateId", NO_ID),
      replaced(ovf.content, "TemplateName", "Blank"),
    ].filter((edit) => edit !== undefined),
  );
  return renewed(edited, renewals(ovf, { vmId, volumes, byId }));
}

function volumeEdit(volume: XmlElement, text: string, disks: ReadonlyMap<string, ExportedDisk>): TextEdit | undefined {
  const disk = disks.get(diskIdOf(volume) ?? "");
  if (disk === undefined) return undefined;
  const { start, end } = volume.source;
  const attributes = {
    "ovf:size": String(Math.ceil(disk.bytes / GIB)),
    "ovf:volume-format": "RAW",
    "ovf:volume-type": "Sparse",
  };
  const changed = Object.entries(attributes).reduce(
    (element, [name, value]) => withAttribute(element, name, value),
    text.slice(start, end),
  );
  return { start, end, text: changed };
}

/** In the start tag of an element. */
function withAttribute(element: string, name: string, value: string): string {
  const there = new RegExp(`(\\s${name}=)("[^"]*"|'[^']*')`);
  if (there.test(element)) return element.replace(there, `$1"${value}"`);
  return element.replace(/^<[^\s/>]+/, `$& ${name}="${value}"`);
}

function cardEdits(card: XmlElement, networks: ReadonlyMap<string, string>): readonly (TextEdit | undefined)[] {
  const [network, profile] = [card.value("rasd:Connection"), card.value("rasd:OtherResourceType")];
  const wanted = networks.get(`${network}/${profile}`) ?? (network === undefined ? undefined : networks.get(network));
  if (wanted === undefined) return [];
  const [newNetwork = wanted, newProfile = newNetwork] = wanted.split("/");
  return [replaced(card, "rasd:Connection", newNetwork), replaced(card, "rasd:OtherResourceType", newProfile)];
}

/** The text of a child. */
function replaced(element: XmlElement, name: string, value: string): TextEdit | undefined {
  const child = element.child(name);
  return child && { ...child.source, text: `<${name}>${escapeXml(value)}</${name}>` };
}

/** Ids that an engine may have already, with new ones: they stand in many places, and are unique as texts. */
function renewals(
  ovf: OvfElements,
  parts: {
    readonly vmId: string;
    readonly volumes: ReadonlyMap<string, XmlElement>;
    readonly byId: ReadonlyMap<string, ExportedDisk>;
  },
): ReadonlyMap<string, string> {
  const system = ovf.content.all("Section").find(({ attributes }) => attributes.get("xsi:type") === OPERATING_SYSTEM);
  const oldId = system?.value("ovf:id");
  if (oldId === undefined || !isRenewable(oldId)) throw new EngineAnswerError("the OVF does not name its machine");
  const snapshots = [
    ...ovf.volumes.map((volume) => volume.value("ovf:vm_snapshot_id")),
    ...ovf.snapshots.map((snapshot) => snapshot.value("ovf:id")),
  ];
  const cards = ovf.networkCards.map((card) => card.value("rasd:InstanceId"));
  const fresh = [...snapshots, ...cards].filter((id) => id !== undefined && isRenewable(id));
  return new Map([
    ...fresh.map((id): [string, string] => [id ?? "", randomUUID()]),
    ...[...parts.volumes].flatMap(([diskId, volume]): [string, string][] => {
      const volumeId = volume.value("ovf:diskId");
      const disk = parts.byId.get(diskId);
      return volumeId === undefined || disk === undefined ? [] : [[volumeId, disk.volumeId]];
    }),
    [oldId, parts.vmId],
  ]);
}

function isRenewable(id: string): boolean {
  return UUID.test(id) && id !== NO_ID;
}

function renewed(text: string, ids: ReadonlyMap<string, string>): string {
  return [...ids].reduce((changed, [id, newId]) => changed.replaceAll(id, newId), text);
}
