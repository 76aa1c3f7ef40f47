import { UsageError } from "@ovault/contract";

import type { XmlElement } from "../engine/xml-element.ts";
import { dropUnwritable, escapeXml } from "../engine/xml-references.ts";
import { withTag } from "../traces/run-tag.ts";
import { editText, type TextEdit } from "./edit-text.ts";
import { activeVolumes, diskIdOf, parseOvf, type OvfElements } from "./read-ovf.ts";

export interface OvfRewrite {
  /** The name of the new machine. */
  readonly name: string;
  /**
   * The disks that stay in the OVF, by their id in it, with the id of the disk that replaces them. All others are
   * removed, to be attached later or never.
   */
  readonly disks: ReadonlyMap<string, string>;
  /** `drop`: without MAC addresses, so that the engine assigns new ones. */
  readonly mac: "keep" | "drop";
  /** The run's tag, in the description from the machine's creation on. */
  readonly tag?: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * The OVF of a restored machine. Keeps everything that is not named here to the letter, except characters that XML
 * cannot hold, because an engine would refuse the document. Removes snapshots and their volumes, because a restored
 * disk has none, and delete protection, so that a failed restore can remove its machine.
 *
 * @throws EngineAnswerError when the text is not an engine's OVF.
 * @throws UsageError when the name holds a control character, or an id is not a UUID.
 */
export function rewriteOvf(original: string, rewrite: OvfRewrite): string {
  // Parsers convert line ends to this one, so positions refer to the converted text.
  const text = dropUnwritable(original).replaceAll(/\r\n?/g, "\n");
  const ovf = parseOvf(text);
  const active = activeVolumes(ovf.volumes);
  const files = new Set([...active.values()].map((volume) => volume.value("ovf:fileRef")));
  const volumeIds = new Set([...active.values()].map((volume) => volume.value("ovf:diskId")));

  const edits = [
    renamed(ovf.name, rewrite.name),
    ...(rewrite.tag === undefined ? [] : [tagged(ovf, rewrite.tag)]),
    ...(ovf.deleteProtected === undefined ? [] : [unprotected(ovf.deleteProtected)]),
    ...ovf.files.map((file) => diskEdit(file, files.has(file.value("ovf:href")), rewrite, text)),
    ...ovf.volumes.map((volume) => diskEdit(volume, volumeIds.has(volume.value("ovf:diskId")), rewrite, text)),
    ...ovf.diskDrives.map((drive) => diskEdit(drive, true, rewrite, text)),
    ...ovf.snapshots.filter((snapshot) => snapshot.value("Type") !== "ACTIVE").map(removed),
    ...(rewrite.mac === "drop" ? ovf.networkCards.flatMap((card) => card.all("rasd:MACAddress")).map(removed) : []),
  ];
  return editText(text, edits);
}

function renamed(element: XmlElement, name: string): TextEdit {
  return { ...element.source, text: `<Name>${escapeXml(name)}</Name>` };
}

function tagged({ name, description }: OvfElements, tag: string): TextEdit {
  const { start, end } = description?.source ?? { start: name.source.end, end: name.source.end };
  return { start, end, text: `<Description>${escapeXml(withTag(description?.text, tag))}</Description>` };
}

function unprotected(element: XmlElement): TextEdit {
  return { ...element.source, text: "<DeleteProtected>false</DeleteProtected>" };
}

function removed(element: XmlElement): TextEdit {
  return { ...element.source, text: "" };
}

/**
 * Replaces the disk id everywhere in a kept disk's element (references, the device's alias) and removes the parent of
 * its volume: a restored disk is a single volume.
 */
function diskEdit(element: XmlElement, isActive: boolean, rewrite: OvfRewrite, text: string): TextEdit {
  const { start, end } = element.source;
  const oldId = diskIdOf(element);
  const newId = oldId === undefined ? undefined : rewrite.disks.get(oldId);
  if (!isActive || oldId === undefined || newId === undefined) return removed(element);
  for (const id of [oldId, newId]) if (!UUID.test(id)) throw new UsageError(`"${id}" is not the id of a disk`);
  const standalone = text.slice(start, end).replace(/(\sovf:parentRef=)("[^"]*"|'[^']*')/, '$1""');
  return { start, end, text: standalone.replaceAll(oldId, newId) };
}
