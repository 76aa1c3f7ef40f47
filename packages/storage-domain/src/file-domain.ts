import { FileByteSource } from "@ovault/qcow2";

import { Directory, type Ownership } from "./directory.ts";
import { parseDomainMetadata, type DomainMetadata } from "./domain-metadata.ts";
import { StorageDomainError } from "./errors.ts";
import { isUuid, requireUuid } from "./uuid.ts";
import { parseVolumeMetadata, type VolumeMetadata } from "./volume-metadata.ts";

/** One volume of an image: its own id and its metadata. */
export interface Volume extends VolumeMetadata {
  readonly id: string;
}

const MOST_METADATA_BYTES = 64 * 1024;
/** More layers than an engine lets a disk have, several times over. */
const MOST_VOLUMES = 1_000;
const METADATA_SUFFIX = ".meta";

/**
 * The tree of a storage domain on file storage, as vdsm lays it out: `ROOT/DOMAIN/{dom_md,images}`. Trusts none of it:
 * another machine writes there. All errors about its content are StorageDomainError.
 */
export class FileDomain implements AsyncDisposable {
  readonly metadata: DomainMetadata;
  /** Whose files a host wrote here, as this machine sees it: 36:36, or what the export maps every host to. */
  readonly owner: Owner;
  protected readonly directory: Directory;
  readonly #images: Directory;

  /** Ids of the domains below a mount; vdsm keeps one. */
  static async idsBelow(root: string): Promise<readonly string[]> {
    await using directory = await Directory.open(root);
    return (await directory.names()).filter(isUuid);
  }

  /** Opens the domain of this id below `root`, the place that hosts mount. @throws StorageDomainError */
  static async open(root: string, id: string): Promise<FileDomain> {
    return new FileDomain(await openParts(root, id));
  }

  protected constructor({ directory, images, metadata, owner }: DomainParts) {
    this.directory = directory;
    this.#images = images;
    this.metadata = metadata;
    this.owner = owner;
  }

  /** Makes what hosts can use. Only root can give files away. */
  get ownership(): Ownership {
    return { fileMode: 0o660, directoryMode: 0o755, owner: process.getuid?.() === 0 ? this.owner : undefined };
  }

  /** Ids of all images, sorted; not those that are being removed. */
  async imageIds(): Promise<readonly string[]> {
    return (await this.#images.names()).filter(isUuid);
  }

  /** The volumes of an image, in order of id; empty when there is no such image. */
  async volumes(imageId: string): Promise<readonly Volume[]> {
    await using image = await this.#images.child(requireUuid(imageId, "the id of an image"));
    if (image === undefined) return [];
    const ids = (await image.names())
      .filter((name) => name.endsWith(METADATA_SUFFIX))
      .map((name) => name.slice(0, -METADATA_SUFFIX.length))
      .filter(isUuid);
    if (ids.length > MOST_VOLUMES) throw new StorageDomainError(`${image.path} has more than ${MOST_VOLUMES} volumes`);
    const volumes: Volume[] = [];
    for (const id of ids) {
      const volume = await readVolume(image, id);
      if (volume.imageId !== imageId) {
        throw new StorageDomainError(`${image.path}/${id}${METADATA_SUFFIX} belongs to image ${volume.imageId}`);
      }
      volumes.push(volume);
    }
    return volumes;
  }

  /** The file of a volume; the caller closes it. @throws StorageDomainError when it is missing or a link */
  async openVolume(imageId: string, volumeId: string): Promise<FileByteSource> {
    await using image = await this.#images.child(requireUuid(imageId, "the id of an image"));
    const handle = await image?.file(requireUuid(volumeId, "the id of a volume"));
    if (handle === undefined) throw new StorageDomainError(`image ${imageId} has no file of volume ${volumeId}`);
    return await FileByteSource.of(handle);
  }

  /** Removes an image with all its volumes. Missing is not an error. */
  async removeImage(imageId: string): Promise<void> {
    await this.#images.remove(requireUuid(imageId, "the id of an image"));
    await this.#images.sync();
  }

  /** The directory of images, for what fills it. */
  get images(): Directory {
    return this.#images;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#images[Symbol.asyncDispose]();
    await this.directory[Symbol.asyncDispose]();
  }
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface DomainParts {
  readonly directory: Directory;
  readonly images: Directory;
  readonly metadata: DomainMetadata;
  readonly owner: Owner;
}

export async function openParts(root: string, id: string): Promise<DomainParts> {
  await using parent = await Directory.open(root);
  const directory = await parent.child(requireUuid(id, "the id of a storage domain"));
  if (directory === undefined) throw new StorageDomainError(`${root} has no storage domain ${id}`);
  try {
    const { metadata, owner } = await readMetadata(directory);
    if (metadata.id !== id) throw new StorageDomainError(`${directory.path} holds storage domain ${metadata.id}`);
    const images = await directory.child("images");
    if (images === undefined) throw new StorageDomainError(`${directory.path} has no images`);
    return { directory, images, metadata, owner };
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  }
}

async function readMetadata(directory: Directory): Promise<Pick<DomainParts, "metadata" | "owner">> {
  await using own = await directory.child("dom_md");
  const bytes = await own?.read("metadata", MOST_METADATA_BYTES);
  await using file = await own?.file("metadata");
  if (bytes === undefined || file === undefined) {
    throw new StorageDomainError(`${directory.path} has no dom_md/metadata`);
  }
  const { uid, gid } = await file.stat();
  return { metadata: parseDomainMetadata(bytes.toString(), `${directory.path}/dom_md/metadata`), owner: { uid, gid } };
}

async function readVolume(image: Directory, id: string): Promise<Volume> {
  const name = `${id}${METADATA_SUFFIX}`;
  const title = `${image.path}/${name}`;
  const bytes = await image.read(name, MOST_METADATA_BYTES);
  if (bytes === undefined) throw new StorageDomainError(`${title} has vanished`);
  return { id, ...parseVolumeMetadata(bytes.toString(), title) };
}
