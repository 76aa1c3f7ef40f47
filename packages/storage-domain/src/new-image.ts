import type { FileHandle } from "node:fs/promises";

import type { Directory } from "./directory.ts";
import type { FileDomain } from "./file-domain.ts";
import { requireUuid } from "./uuid.ts";
import { volumeLease } from "./volume-lease.ts";
import { formatVolumeMetadata, type VolumeMetadata } from "./volume-metadata.ts";

export interface NewVolume extends Omit<VolumeMetadata, "domainId" | "imageId" | "parentId" | "role" | "legality"> {
  readonly id: string;
}

/** An image of one volume that is being filled. Hosts do not see it before `commit`. */
export class NewImage {
  readonly id: string;
  /** Empty at first, as long as the caller makes it. */
  readonly file: FileHandle;
  readonly #domain: FileDomain;
  readonly #directory: Directory;
  readonly #volume: NewVolume;

  /** @throws StorageDomainError when there is such an image already */
  static async create(domain: FileDomain, id: string, volume: NewVolume): Promise<NewImage> {
    requireUuid(volume.id, "the id of a volume");
    const directory = await domain.images.make(requireUuid(id, "the id of an image"), domain.ownership);
    try {
      const file = await directory.create(volume.id, domain.ownership);
      return new NewImage(id, { domain, directory, file, volume });
    } catch (error) {
      await directory[Symbol.asyncDispose]();
      await domain.images.remove(id);
      throw error;
    }
  }

  private constructor(
    id: string,
    parts: {
      readonly domain: FileDomain;
      readonly directory: Directory;
      readonly file: FileHandle;
      readonly volume: NewVolume;
    },
  ) {
    this.id = id;
    this.file = parts.file;
    this.#domain = parts.domain;
    this.#directory = parts.directory;
    this.#volume = parts.volume;
  }

  /**
   * Makes the data durable, then writes lease and metadata, by which hosts know the volume. Files are for vdsm but the
   * metadata, which all may read.
   */
  async commit(): Promise<void> {
    const { metadata, images, ownership } = this.#domain;
    const { id: volumeId, ...volume } = this.#volume;
    const described: VolumeMetadata = {
      ...volume,
      domainId: metadata.id,
      imageId: this.id,
      parentId: undefined,
      role: "leaf",
      legality: "legal",
    };
    const text = formatVolumeMetadata(described, metadata.version);
    await this.file.sync();
    await this.#directory.write(`${volumeId}.lease`, volumeLease(metadata.id, volumeId), ownership);
    await this.#directory.write(`${volumeId}.meta`, Buffer.from(text), { ...ownership, fileMode: 0o644 });
    await this.#close();
    await images.sync();
  }

  /** Removes all of it, also after `commit`. */
  async remove(): Promise<void> {
    await this.#close().catch(() => undefined);
    await this.#domain.images.remove(this.id);
  }

  async #close(): Promise<void> {
    await this.file.close();
    await this.#directory[Symbol.asyncDispose]();
  }
}
