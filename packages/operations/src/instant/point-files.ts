import {
  type AttributeChange,
  type CreateOptions,
  type DirectoryEntry,
  type FileAttributes,
  type FileId,
  type FileSystemSpace,
  type LocalFileSystem,
  type NfsFileSystem,
  NfsStatusError,
} from "@ovault/nfs";

import type { VolumeFile } from "./volume-file.ts";

/**
 * A directory of plain files in which some stand for disks of points. Those have names, owners and modes like all others:
 * hosts rename, link and remove them. Only their content, their size and their times are those of a `VolumeFile`.
 */
export class PointFiles implements NfsFileSystem {
  readonly #files: LocalFileSystem;
  readonly #root: FileId;
  readonly #onRemoved: (volume: VolumeFile) => Promise<void>;
  readonly #volumes = new Map<string, VolumeFile>();

  /**
   * @param root what clients mount, a directory of `files`
   * @param onRemoved called when the last name of a volume is gone
   */
  constructor(files: LocalFileSystem, root: FileId, onRemoved: (volume: VolumeFile) => Promise<void>) {
    this.#files = files;
    this.#root = root;
    this.#onRemoved = onRemoved;
  }

  /** From now on the file with this id is the volume. */
  place(volume: VolumeFile): void {
    this.#volumes.set(keyOf(volume.id), volume);
  }

  root(): Promise<FileId> {
    return Promise.resolve(this.#root);
  }

  async attributes(id: FileId): Promise<FileAttributes> {
    return await this.#shown(await this.#files.attributes(id));
  }

  async change(id: FileId, change: AttributeChange): Promise<void> {
    const volume = this.#volumeOf(id);
    if (volume === undefined) return await this.#files.change(id, change);
    const { bytes, ...others } = change;
    if (bytes !== undefined) await volume.resize(Number(bytes));
    if (Object.keys(others).length === 0) return;
    await this.#files.change(id, others);
    if (others.modifiedAt !== undefined) volume.forgetTime();
  }

  async lookup(directory: FileId, name: string): Promise<FileAttributes> {
    return await this.#shown(await this.#files.lookup(directory, name));
  }

  readLink(id: FileId): Promise<string> {
    return this.#files.readLink(id);
  }

  async read(id: FileId, offset: number, target: Uint8Array): Promise<number> {
    const volume = this.#volumeOf(id);
    return await (volume === undefined ? this.#files.read(id, offset, target) : volume.read(offset, target));
  }

  async write(id: FileId, offset: number, bytes: Uint8Array): Promise<void> {
    const volume = this.#volumeOf(id);
    if (volume === undefined) return await this.#files.write(id, offset, bytes);
    // Throws for one that was removed.
    await this.#files.attributes(id);
    await volume.write(offset, bytes);
  }

  async sync(id: FileId): Promise<void> {
    await (this.#volumeOf(id)?.sync() ?? this.#files.sync(id));
  }

  async create(directory: FileId, name: string, options: CreateOptions): Promise<FileId> {
    const volume = options.isNew ? undefined : await this.#volumeAt(directory, name);
    if (volume === undefined) return await this.#files.create(directory, name, options);
    // As of any file that is there, only the size is changed.
    const { bytes } = options.change;
    if (bytes !== undefined) await volume.resize(Number(bytes));
    return volume.id;
  }

  createExclusively(directory: FileId, name: string, verifier: Uint8Array): Promise<FileId> {
    return this.#files.createExclusively(directory, name, verifier);
  }

  makeDirectory(directory: FileId, name: string, change: AttributeChange): Promise<FileId> {
    return this.#files.makeDirectory(directory, name, change);
  }

  makeLink(directory: FileId, name: string, target: string): Promise<FileId> {
    return this.#files.makeLink(directory, name, target);
  }

  link(id: FileId, directory: FileId, name: string): Promise<void> {
    return this.#files.link(id, directory, name);
  }

  async remove(directory: FileId, name: string): Promise<void> {
    const volume = await this.#volumeAt(directory, name);
    await this.#files.remove(directory, name);
    await this.#dropIfGone(volume);
  }

  removeDirectory(directory: FileId, name: string): Promise<void> {
    return this.#files.removeDirectory(directory, name);
  }

  async rename(from: FileId, name: string, to: FileId, newName: string): Promise<void> {
    const replaced = await this.#volumeAt(to, newName);
    await this.#files.rename(from, name, to, newName);
    await this.#dropIfGone(replaced);
  }

  list(directory: FileId): Promise<readonly DirectoryEntry[]> {
    return this.#files.list(directory);
  }

  async parent(directory: FileId): Promise<FileId> {
    return keyOf(directory) === keyOf(this.#root) ? this.#root : await this.#files.parent(directory);
  }

  space(): Promise<FileSystemSpace> {
    return this.#files.space();
  }

  #volumeOf(id: FileId): VolumeFile | undefined {
    return this.#volumes.get(keyOf(id));
  }

  async #volumeAt(directory: FileId, name: string): Promise<VolumeFile | undefined> {
    const found = await this.#files.lookup(directory, name).catch(() => undefined);
    return found && this.#volumeOf(found.id);
  }

  async #shown(attributes: FileAttributes): Promise<FileAttributes> {
    return (await this.#volumeOf(attributes.id)?.attributes(attributes)) ?? attributes;
  }

  async #dropIfGone(volume: VolumeFile | undefined): Promise<void> {
    if (volume === undefined) return;
    try {
      await this.#files.attributes(volume.id);
    } catch (error) {
      if (!(error instanceof NfsStatusError) || error.status !== "stale") return;
      this.#volumes.delete(keyOf(volume.id));
      await this.#onRemoved(volume);
    }
  }
}

function keyOf({ number, generation }: FileId): string {
  return `${number}/${generation}`;
}
