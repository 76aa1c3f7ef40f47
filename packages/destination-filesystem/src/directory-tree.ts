import { lstat, mkdir, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import {
  assertObjectKey,
  DestinationMissingError,
  StoreError,
  systemErrorCode,
  type ObjectKey,
  syncDirectory,
} from "@ovault/contract";

import { mapSystemError } from "./map-system-error.ts";

/**
 * The directories below the root, and the way from a key to a path in them. No path leads out: keys are checked, and a
 * symbolic link in place of a directory is refused. @throws what the operating system said unless noted.
 */
export class DirectoryTree {
  /** Absolute, free of symbolic links. */
  readonly root: string;
  readonly #identity: string;
  /** Known to be directories, not links. */
  readonly #real = new Set<string>();
  /** Known to have a name that survives a power cut. Few: one for each folder of a repository. */
  readonly #durable = new Set<string>();

  private constructor(root: string, identity: string) {
    this.root = root;
    this.#identity = identity;
  }

  /** @throws DestinationMissingError when there is no such directory; it is never made here */
  static async open(directory: string): Promise<DirectoryTree> {
    try {
      const root = await realpath(directory);
      const identity = await identityOf(root);
      if (identity === undefined) throw missing(directory, "is not a directory");
      return new DirectoryTree(root, identity);
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === "ENOENT" || code === "ENOTDIR") throw missing(directory, "does not exist", error);
      throw await mapSystemError(error, { root: directory, what: "open the destination" });
    }
  }

  /** The path of a key, in a directory that is no link. */
  async locate(key: ObjectKey): Promise<string> {
    const path = this.#path(key);
    await this.assertReal(dirname(path));
    return path;
  }

  /** The same for writing: makes what is missing, durably. */
  async prepare(key: ObjectKey): Promise<string> {
    const path = this.#path(key);
    await this.prepareDirectory(dirname(path));
    return path;
  }

  async prepareDirectory(directory: string): Promise<void> {
    if (this.#durable.has(directory)) return;
    if (directory === this.root) return await this.assertPresent();
    const parent = dirname(directory);
    await this.prepareDirectory(parent);
    try {
      await mkdir(directory, { mode: 0o700 });
    } catch (error) {
      if (systemErrorCode(error) !== "EEXIST") throw error;
    }
    await this.assertReal(directory);
    // Also when somebody else has just made it and not come to this yet.
    await syncDirectory(parent);
    this.#durable.add(directory);
  }

  /**
   * Nothing found may mean that nothing is there, or that the share was unmounted and left an empty mount point.
   * @throws DestinationMissingError when the root is not the directory that was opened. Only this method and `open`
   * throw store errors for what the operating system said.
   */
  async assertPresent(): Promise<void> {
    try {
      if ((await identityOf(this.root)) === this.#identity) return;
    } catch (error) {
      throw await mapSystemError(error, { root: this.root, what: "look at the destination" });
    }
    this.forget();
    throw missing(this.root, "is not the directory any more that it was when this run began");
  }

  /** To be called when a directory has vanished: what was known about all of them may be wrong. */
  forget(): void {
    this.#real.clear();
    this.#durable.clear();
  }

  /** @throws StoreError for a link on the way to a directory below the root. That it may be a file shows when it is read. */
  async assertReal(directory: string): Promise<void> {
    if (directory === this.root || this.#real.has(directory)) return;
    await this.assertReal(dirname(directory));
    const found = await lstat(directory);
    if (found.isSymbolicLink()) {
      throw new StoreError(`${directory} is a symbolic link; objects are only kept in real directories`, {
        context: { directory },
        hint: "Replace it by a directory, or by a bind mount of the whole destination.",
      });
    }
    if (found.isDirectory()) this.#real.add(directory);
  }

  #path(key: ObjectKey): string {
    assertObjectKey(key);
    return join(this.root, key);
  }
}

/** Device and inode, which a mount or an unmount changes; undefined when there is no directory. */
async function identityOf(directory: string): Promise<string | undefined> {
  try {
    const found = await stat(directory, { bigint: true });
    return found.isDirectory() ? `${found.dev}:${found.ino}` : undefined;
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function missing(directory: string, what: string, cause?: unknown): DestinationMissingError {
  return new DestinationMissingError(`the destination ${directory} ${what}`, {
    cause,
    context: { directory },
    hint: "Is it mounted? A new destination is made by `ovault init`.",
  });
}
