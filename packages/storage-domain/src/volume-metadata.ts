import type { DiskFormat } from "@ovault/contract";

import { StorageDomainError } from "./errors.ts";
import { countOf, parseKeyValues, requireValue, requireWord, type KeyValues } from "./key-values.ts";
import { BLANK_UUID, requireUuid } from "./uuid.ts";

/** The `.meta` of one volume. */
export interface VolumeMetadata {
  readonly domainId: string;
  /** The disk. */
  readonly imageId: string;
  /** Volume right below; undefined for the lowest one. */
  readonly parentId: string | undefined;
  /** Size the guest sees. */
  readonly capacityBytes: number;
  readonly format: DiskFormat;
  readonly sparse: boolean;
  /** `shared`: of a template, which several disks lie on. */
  readonly role: "leaf" | "internal" | "shared";
  /** `illegal`: a failed merge or copy left it. */
  readonly legality: "legal" | "illegal" | "fake";
  /** `DATA` for disks of machines; `OVFS`, `MEMD`… for what the engine keeps. */
  readonly diskType: string;
  /** The engine's JSON with alias and description of the disk; plain text in old domains. */
  readonly description: string;
  readonly createdAt: Date;
}

const FORMATS = { RAW: "raw", COW: "cow" } as const;
const ALLOCATIONS = { SPARSE: true, PREALLOCATED: false } as const;
const ROLES = { LEAF: "leaf", INTERNAL: "internal", SHARED: "shared" } as const;
const LEGALITIES = { LEGAL: "legal", ILLEGAL: "illegal", FAKE: "fake" } as const;
/** Since this version, sizes are in bytes (`CAP`) instead of sectors (`SIZE`). */
const BYTES_SINCE = 5;
const SECTOR_BYTES = 512;
/** Size of a slot for metadata on block storage, which vdsm holds file storage to as well. */
const MOST_BYTES = 512;
/** vdsm cuts longer ones. */
const MOST_DESCRIPTION_BYTES = 210;

/** @param title names the file in errors. @throws StorageDomainError */
export function parseVolumeMetadata(text: string, title: string): VolumeMetadata {
  const values = parseKeyValues(text, title);
  const parent = requireUuid(requireValue(values, "PUUID", title), `${title}: PUUID`);
  const created = countOf(values, "CTIME", title) ?? 0;
  return {
    domainId: requireUuid(requireValue(values, "DOMAIN", title), `${title}: DOMAIN`),
    imageId: requireUuid(requireValue(values, "IMAGE", title), `${title}: IMAGE`),
    parentId: parent === BLANK_UUID ? undefined : parent,
    capacityBytes: capacityOf(values, title),
    format: requireWord(values, "FORMAT", FORMATS, title),
    sparse: requireWord(values, "TYPE", ALLOCATIONS, title),
    role: requireWord(values, "VOLTYPE", ROLES, title),
    legality: requireWord(values, "LEGALITY", LEGALITIES, title),
    diskType: requireValue(values, "DISKTYPE", title),
    description: values.get("DESCRIPTION") ?? "",
    createdAt: new Date(created * 1_000),
  };
}

/**
 * The `.meta` of a volume in a domain of this version.
 * @throws StorageDomainError when the capacity is not in whole sectors, or a text has a line break
 */
export function formatVolumeMetadata(volume: VolumeMetadata, domainVersion: number): string {
  const { capacityBytes } = volume;
  if (capacityBytes % SECTOR_BYTES !== 0) {
    throw new StorageDomainError(`a volume of ${capacityBytes} bytes does not end at a sector`);
  }
  const sized =
    domainVersion >= BYTES_SINCE
      ? { CAP: capacityBytes, SEQ: 1 }
      : { SIZE: capacityBytes / SECTOR_BYTES, MTIME: 0, POOL_UUID: "" };
  const values = {
    ...sized,
    CTIME: Math.floor(volume.createdAt.getTime() / 1_000),
    DESCRIPTION: fittingDescription(volume.description),
    DISKTYPE: volume.diskType,
    DOMAIN: volume.domainId,
    FORMAT: keyOf(FORMATS, volume.format),
    GEN: 0,
    IMAGE: volume.imageId,
    LEGALITY: keyOf(LEGALITIES, volume.legality),
    PUUID: volume.parentId ?? BLANK_UUID,
    TYPE: keyOf(ALLOCATIONS, volume.sparse),
    VOLTYPE: keyOf(ROLES, volume.role),
  };
  const lines = Object.entries(values).map(([key, value]) => `${key}=${value}`);
  if (lines.some((line) => line.includes("\n"))) throw new StorageDomainError("metadata of a volume has a line break");
  const text = `${lines.toSorted().join("\n")}\nEOF\n`;
  if (Buffer.byteLength(text) > MOST_BYTES) {
    throw new StorageDomainError(`metadata of a volume takes more than ${MOST_BYTES} bytes`);
  }
  return text;
}

/** `CAP` wins where both stand. */
function capacityOf(values: KeyValues, title: string): number {
  const bytes = countOf(values, "CAP", title);
  if (bytes !== undefined) return bytes;
  const sectors = countOf(values, "SIZE", title);
  if (sectors !== undefined && sectors <= Number.MAX_SAFE_INTEGER / SECTOR_BYTES) return sectors * SECTOR_BYTES;
  throw new StorageDomainError(`${title} tells no size`);
}

/** Cut between characters. */
function fittingDescription(text: string): string {
  let fitting = "";
  for (const character of text) {
    if (Buffer.byteLength(fitting + character) > MOST_DESCRIPTION_BYTES) break;
    fitting += character;
  }
  return fitting;
}

function keyOf<T>(words: Readonly<Record<string, T>>, word: T): string {
  const found = Object.entries(words).find(([, value]) => value === word);
  if (found === undefined) throw new RangeError(`no word for ${String(word)}`);
  return found[0];
}
