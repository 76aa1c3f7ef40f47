import { conflict } from "../engine-fault.ts";

/** One volume as its `.meta` describes it. */
export interface ExportedVolume {
  readonly imageId: string;
  readonly volumeId: string;
  /** The volume below. Of a template-based disk, it may be the template's, which lies elsewhere. */
  readonly parentId: string | undefined;
  readonly format: "raw" | "cow";
  readonly sparse: boolean;
  readonly virtualBytes: number;
  readonly alias: string;
}

export interface VolumeRole {
  readonly domainId: string;
  readonly isTop: boolean;
  /** False while its data is copied. */
  readonly isLegal: boolean;
}

const NO_ID = "00000000-0000-0000-0000-000000000000";
const SECTOR_BYTES = 512;

/** The text of a `.meta` in a domain of format v1, where sizes are sectors (volume.py of vdsm 4.17). */
export function writeVolumeMetadata(volume: ExportedVolume, { domainId, isTop, isLegal }: VolumeRole): string {
  return [
    `CTIME=${Math.floor(Date.now() / 1000)}`,
    `DESCRIPTION=${JSON.stringify({ DiskAlias: volume.alias, DiskDescription: "" })}`,
    "DISKTYPE=2",
    `DOMAIN=${domainId}`,
    `FORMAT=${volume.format.toUpperCase()}`,
    `IMAGE=${volume.imageId}`,
    `LEGALITY=${isLegal ? "LEGAL" : "ILLEGAL"}`,
    "MTIME=0",
    "POOL_UUID=",
    `PUUID=${volume.parentId ?? NO_ID}`,
    `SIZE=${volume.virtualBytes / SECTOR_BYTES}`,
    `TYPE=${volume.sparse ? "SPARSE" : "PREALLOCATED"}`,
    `VOLTYPE=${isTop ? "LEAF" : "INTERNAL"}`,
    "EOF",
    "",
  ].join("\n");
}

/** Reads a `.meta` as a host does. @throws EngineFault 409 */
export function readVolumeMetadata(
  text: string,
  { domainId, imageId, volumeId }: Pick<VolumeRole, "domainId"> & Pick<ExportedVolume, "imageId" | "volumeId">,
): ExportedVolume {
  const lines = text.split("\n");
  const values = new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
  const sectors = Number(values.get("SIZE"));
  if (!lines.includes("EOF") || !Number.isInteger(sectors))
    throw unusableVolume(imageId, volumeId, "has damaged metadata");
  if (values.get("LEGALITY") !== "LEGAL") throw unusableVolume(imageId, volumeId, "is illegal");
  if (values.get("DOMAIN") !== domainId || values.get("IMAGE") !== imageId) {
    throw unusableVolume(imageId, volumeId, "belongs to something else");
  }
  const parentId = values.get("PUUID");
  return {
    imageId,
    volumeId,
    parentId: parentId === NO_ID ? undefined : parentId,
    format: values.get("FORMAT") === "RAW" ? "raw" : "cow",
    sparse: values.get("TYPE") === "SPARSE",
    virtualBytes: sectors * SECTOR_BYTES,
    alias: /"DiskAlias":"([^"]*)"/.exec(values.get("DESCRIPTION") ?? "")?.[1] ?? imageId,
  };
}

export function unusableVolume(imageId: string, volumeId: string, why: string): Error {
  return conflict(`Cannot import VM. Volume ${imageId}/${volumeId} ${why}.`);
}
