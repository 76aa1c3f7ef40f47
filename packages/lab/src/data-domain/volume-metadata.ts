import type { DiskFormat } from "@ovault/contract";

/** One volume of a data domain as its `.meta` describes it. */
export interface DataVolume {
  readonly diskId: string;
  readonly volumeId: string;
  /** The volume below; absent for a base. */
  readonly parentId: string | undefined;
  readonly format: DiskFormat;
  readonly sparse: boolean;
  readonly virtualBytes: number;
  /** As it stands there: JSON of the engine, or any text. */
  readonly description: string;
  /** It takes the writes: no volume lies above. */
  readonly isLeaf: boolean;
  readonly isLegal: boolean;
  readonly type: string;
  readonly domainId: string;
}

const NO_ID = "00000000-0000-0000-0000-000000000000";
const SECTOR_BYTES = 512;
/** Formats from this on count bytes. */
const FIRST_WITH_BYTES = 5;

/** The text of a `.meta` in a data domain of this version of the format (volumemetadata.py of vdsm). */
export function writeVolumeMetadata(volume: DataVolume, version: number): string {
  const inBytes = version >= FIRST_WITH_BYTES;
  const { description, virtualBytes } = volume;
  const lines = [
    ...(inBytes ? [`CAP=${virtualBytes}`] : []),
    `CTIME=${Math.floor(Date.now() / 1000)}`,
    `DESCRIPTION=${description}`,
    `DISKTYPE=${volume.type}`,
    `DOMAIN=${volume.domainId}`,
    `FORMAT=${volume.format.toUpperCase()}`,
    "GEN=0",
    `IMAGE=${volume.diskId}`,
    `LEGALITY=${volume.isLegal ? "LEGAL" : "ILLEGAL"}`,
    ...(inBytes ? [] : ["MTIME=0"]),
    `PUUID=${volume.parentId ?? NO_ID}`,
    inBytes ? "SEQ=1" : `SIZE=${virtualBytes / SECTOR_BYTES}`,
    `TYPE=${volume.sparse ? "SPARSE" : "PREALLOCATED"}`,
    `VOLTYPE=${volume.isLeaf ? "LEAF" : "INTERNAL"}`,
    "EOF",
    "",
  ];
  return lines.join("\n");
}

/** Reads a `.meta` of any version; `undefined` for one that a host cannot read. */
export function readVolumeMetadata(text: string, volumeId: string): DataVolume | undefined {
  const lines = text.split("\n");
  const values = new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
  const virtualBytes = values.has("CAP") ? Number(values.get("CAP")) : Number(values.get("SIZE")) * SECTOR_BYTES;
  const [diskId, domainId, parentId] = [values.get("IMAGE"), values.get("DOMAIN"), values.get("PUUID")];
  const format = values.get("FORMAT");
  if (!lines.includes("EOF") || !Number.isSafeInteger(virtualBytes)) return undefined;
  if (diskId === undefined || domainId === undefined || (format !== "RAW" && format !== "COW")) return undefined;
  return {
    diskId,
    volumeId,
    domainId,
    parentId: parentId === NO_ID ? undefined : parentId,
    format: format === "RAW" ? "raw" : "cow",
    sparse: values.get("TYPE") === "SPARSE",
    virtualBytes,
    description: values.get("DESCRIPTION") ?? "",
    isLeaf: values.get("VOLTYPE") === "LEAF",
    isLegal: values.get("LEGALITY") === "LEGAL",
    type: values.get("DISKTYPE") ?? "",
  };
}
