import { randomUUID } from "node:crypto";

import type { DiskFormat } from "@ovault/contract";
import { fittingAlias } from "@ovault/ovirt";
import { formatVolumeMetadata, volumeLease } from "@ovault/storage-domain";

/** A disk of a point. */
export interface DiskToPlan {
  readonly id: string;
  readonly alias: string;
  readonly logicalBytes: number;
  readonly format: DiskFormat;
}

/** What has to lie in a storage domain for a host to use a disk. All paths are relative to the share. */
export interface PlannedVolume {
  /** Id of the disk in the point. */
  readonly from: string;
  /** Ids on the engine. */
  readonly diskId: string;
  readonly volumeId: string;
  /** Directory of the image: `DOMAIN/images/DISK`, mode 0755. */
  readonly directory: string;
  /** The volume, mode 0660: guest data where it is raw, a QCOW2 file without a backing file where it is cow. */
  readonly path: string;
  readonly format: DiskFormat;
  /** What the guest sees; past the end of the point's disk it reads zeros. */
  readonly virtualBytes: number;
  /** Mode 0644. Put it last: by it hosts know the volume. */
  readonly meta: { readonly path: string; readonly text: string };
  /** Mode 0660. Hosts need it to move the disk. */
  readonly lease: { readonly path: string; readonly bytes: Uint8Array };
}

/** Sizes of volumes are in whole sectors. */
const SECTOR_BYTES = 512;
/** Since this version of a domain, hosts write words for what a volume holds. */
const WORDS_SINCE = 4;
/** vdsm cuts longer descriptions, and the engine could not read the rest. */
const MOST_DESCRIPTION_BYTES = 210;

/** Plans one volume for each disk of a point, with new ids. */
export function planVolumes(
  domain: { readonly id: string; readonly version: number },
  disks: readonly DiskToPlan[],
  createdAt: Date,
): readonly PlannedVolume[] {
  return disks.map(({ id: from, alias, logicalBytes, format }) => {
    const [diskId, volumeId] = [randomUUID(), randomUUID()];
    const directory = `${domain.id}/images/${diskId}`;
    const path = `${directory}/${volumeId}`;
    const virtualBytes = Math.ceil(logicalBytes / SECTOR_BYTES) * SECTOR_BYTES;
    const metadata = {
      domainId: domain.id,
      imageId: diskId,
      parentId: undefined,
      capacityBytes: virtualBytes,
      format,
      sparse: true,
      role: "leaf" as const,
      legality: "legal" as const,
      diskType: domain.version < WORDS_SINCE ? "2" : "DATA",
      description: descriptionOf(fittingAlias(alias)),
      createdAt,
    };
    const meta = { path: `${path}.meta`, text: formatVolumeMetadata(metadata, domain.version) };
    const lease = { path: `${path}.lease`, bytes: volumeLease(domain.id, volumeId) };
    return { from, diskId, volumeId, directory, path, format, virtualBytes, meta, lease };
  });
}

/** The engine's JSON, with the alias cut to what fits. */
function descriptionOf(alias: string): string {
  const characters = [...alias];
  for (;;) {
    const text = JSON.stringify({ DiskAlias: characters.join(""), DiskDescription: "" });
    if (Buffer.byteLength(text) <= MOST_DESCRIPTION_BYTES) return text;
    characters.pop();
  }
}
