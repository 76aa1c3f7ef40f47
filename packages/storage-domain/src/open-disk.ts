import { basename } from "node:path";

import type { DiskReader, Extent } from "@ovault/contract";
import { type FileByteSource, ImageChain, Qcow2Layer, type ByteSource, type RawLayer } from "@ovault/qcow2";

import { StorageDomainError } from "./errors.ts";
import type { FileDomain, Volume } from "./file-domain.ts";

/**
 * The volumes that a disk is made of, from the one given down to the base. Without `volumeId`, from the only leaf.
 * @throws StorageDomainError when one is missing, illegal, or lies on itself, and when there is not exactly one leaf
 */
export function chainOf(volumes: readonly Volume[], imageId: string, volumeId?: string): readonly Volume[] {
  const byId = new Map(volumes.map((volume) => [volume.id, volume]));
  const chain: Volume[] = [];
  for (let id: string | undefined = volumeId ?? onlyLeaf(volumes, imageId).id; id !== undefined;) {
    const volume = byId.get(id);
    if (volume === undefined) {
      throw new StorageDomainError(`image ${imageId} has no volume ${id}`, {
        ...(chain.length > 0 && { hint: "It may belong to a template, which lies in another image." }),
      });
    }
    if (chain.includes(volume)) throw new StorageDomainError(`volume ${id} of image ${imageId} lies on itself`);
    if (volume.legality === "illegal") throw new StorageDomainError(`volume ${id} of image ${imageId} is illegal`);
    chain.push(volume);
    id = volume.parentId;
  }
  return chain;
}

/** Opens a disk as its machine saw it, from the files of its volumes. @throws StorageDomainError, ImageCorruptError */
export async function openDisk(
  domain: FileDomain,
  { imageId, volumeId }: { readonly imageId: string; readonly volumeId?: string },
  signal: AbortSignal,
): Promise<DiskReader> {
  const chain = chainOf(await domain.volumes(imageId), imageId, volumeId);
  const files: FileByteSource[] = [];
  const close = async (): Promise<void> => {
    for (const file of files) await file[Symbol.asyncDispose]();
  };
  try {
    const layers: (Qcow2Layer | RawLayer)[] = [];
    for (const volume of chain) {
      const file = await domain.openVolume(imageId, volume.id);
      files.push(file);
      layers.push(await openLayer(volume, file, signal));
    }
    return new DomainDisk(new ImageChain(layers), close);
  } catch (error) {
    await close();
    throw error;
  }
}

function onlyLeaf(volumes: readonly Volume[], imageId: string): Volume {
  const [leaf, ...more] = volumes.filter(({ role }) => role !== "internal");
  if (leaf !== undefined && more.length === 0) return leaf;
  const why = leaf === undefined ? "has no active volume" : "has several active volumes";
  throw new StorageDomainError(`image ${imageId} ${why}`);
}

async function openLayer(volume: Volume, file: FileByteSource, signal: AbortSignal): Promise<Qcow2Layer | RawLayer> {
  const { id, capacityBytes, parentId } = volume;
  if (volume.format === "raw") {
    if (file.fileBytes < capacityBytes) {
      throw new StorageDomainError(`volume ${id} ends at ${file.fileBytes} instead of ${capacityBytes}`);
    }
    return { raw: upTo(capacityBytes, file) };
  }
  const layer = await Qcow2Layer.open(file, signal);
  if (layer.logicalBytes !== capacityBytes) {
    throw new StorageDomainError(`volume ${id} has ${layer.logicalBytes} bytes, and its metadata say ${capacityBytes}`);
  }
  // The name alone counts: nothing is ever opened by what an image says.
  const below = layer.backing === undefined ? undefined : basename(layer.backing.file);
  if (below !== parentId) {
    throw new StorageDomainError(`volume ${id} lies on another volume than its metadata say`, {
      context: { metadata: parentId ?? null, header: below?.slice(0, 100) ?? null },
    });
  }
  return layer;
}

/** Preallocated files, and those of block storage, may be longer than the disk. */
function upTo(fileBytes: number, file: ByteSource): ByteSource {
  return { fileBytes, readInto: (offset, target, signal) => file.readInto(offset, target, signal) };
}

class DomainDisk implements DiskReader {
  readonly logicalBytes: number;
  readonly close: () => Promise<void>;
  readonly #chain: ImageChain;

  constructor(chain: ImageChain, close: () => Promise<void>) {
    this.logicalBytes = chain.logicalBytes;
    this.#chain = chain;
    this.close = close;
  }

  extents(signal: AbortSignal): AsyncIterable<Extent> {
    return this.#chain.extents(signal);
  }

  readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#chain.readInto(offset, buffer, signal);
  }
}
