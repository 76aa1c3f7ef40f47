import { posix } from "node:path";

import { assertObjectKey, type ObjectKey, StoreError, StoreUnavailableError } from "@ovault/contract";

import type { FileSystem } from "./file-system.ts";

/**
 * The directories below the root, and the mapping from keys to paths in them. No path leads out: it checks keys, and
 * refuses a symbolic link in place of a directory. Every call takes the file system to use: on a server, that of the
 * caller's connection.
 * @throws the file system's errors, unless noted
 */
export class FileTree {
  /** Absolute, free of symbolic links. */
  readonly root: string;
  /** Paths known to be directories, not links. */
  readonly #real = new Set<string>();
  /** Directories whose names are known to be durable. Few: one for each folder of a repository. */
  readonly #durable = new Set<string>();

  constructor(root: string) {
    this.root = root;
  }

  /** The path of a key, in a directory that is not a link. */
  async locate(files: FileSystem, key: ObjectKey): Promise<string> {
    const path = this.#path(key);
    await this.assertReal(files, posix.dirname(path));
    return path;
  }

  /** As `locate`, for writing: durably makes missing directories. */
  async prepare(files: FileSystem, key: ObjectKey): Promise<string> {
    const path = this.#path(key);
    await this.prepareDirectory(files, posix.dirname(path));
    return path;
  }

  /** @throws StoreError when something else is in the way */
  async prepareDirectory(files: FileSystem, directory: string): Promise<void> {
    if (this.#durable.has(directory)) return;
    if (directory === this.root) return await this.assertPresent(files);
    const parent = posix.dirname(directory);
    await this.prepareDirectory(files, parent);
    await files.makeDirectory(directory);
    await this.assertReal(files, directory);
    if (!this.#real.has(directory)) throw inTheWay(directory);
    // Also if another process made it, which may not have synced it yet.
    await files.syncDirectory(parent);
    this.#durable.add(directory);
  }

  /**
   * @throws StoreError for a link on the way to a directory below the root; does not detect files, which fail the read
   */
  async assertReal(files: FileSystem, directory: string): Promise<void> {
    if (directory === this.root || this.#real.has(directory)) return;
    await this.assertReal(files, posix.dirname(directory));
    const kind = await files.kindOf(directory);
    if (kind === "directory") this.#real.add(directory);
    if (kind === "link") throw aLink(directory);
  }

  /** @throws DestinationMissingError when the root is not the directory that was opened */
  async assertPresent(files: FileSystem): Promise<void> {
    try {
      await files.assertPresent();
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** What to throw when a directory was removed or unmounted between two steps of a put. */
  async vanished(files: FileSystem, key: ObjectKey, cause: unknown): Promise<StoreUnavailableError> {
    await this.assertPresent(files);
    this.#forget();
    return new StoreUnavailableError(`a directory vanished while ${key} was written`, {
      cause,
      context: { key, directory: this.root },
      retry: "transient",
    });
  }

  /** A directory has vanished: the knowledge about all of them may be wrong. */
  #forget(): void {
    this.#real.clear();
    this.#durable.clear();
  }

  #path(key: ObjectKey): string {
    assertObjectKey(key);
    return posix.join(this.root, key);
  }
}

function inTheWay(directory: string): StoreError {
  return new StoreError(`${directory} is in the way: it is not a directory`, { context: { directory } });
}

function aLink(directory: string): StoreError {
  return new StoreError(`${directory} is a symbolic link; objects are only kept in real directories`, {
    context: { directory },
    hint: "Replace it by a directory, or by a bind mount of the whole destination.",
  });
}
