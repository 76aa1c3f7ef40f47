import { lstat, mkdir, realpath, stat } from "node:fs/promises";

import { DestinationMissingError, syncDirectory, systemErrorCode } from "@ovault/contract";
import type { FileSystem } from "@ovault/file-tree";

import { mapSystemError } from "./map-system-error.ts";

/** The file system that the root is on, mounted here. */
export class LocalFiles implements FileSystem {
  /** Absolute, free of symbolic links. */
  readonly root: string;
  readonly #identity: string;

  private constructor(root: string, identity: string) {
    this.root = root;
    this.#identity = identity;
  }

  /** Never makes the directory. @throws DestinationMissingError when it does not exist. */
  static async open(directory: string): Promise<LocalFiles> {
    try {
      const root = await realpath(directory);
      const identity = await identityOf(root);
      if (identity === undefined) throw missing(directory, "is not a directory");
      return new LocalFiles(root, identity);
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === "ENOENT" || code === "ENOTDIR") throw missing(directory, "does not exist", error);
      throw await mapSystemError(error, { root: directory, what: "open the destination" });
    }
  }

  async kindOf(path: string): Promise<"directory" | "link" | "other"> {
    const found = await lstat(path);
    if (found.isSymbolicLink()) return "link";
    return found.isDirectory() ? "directory" : "other";
  }

  async makeDirectory(path: string): Promise<void> {
    try {
      await mkdir(path, { mode: 0o700 });
    } catch (error) {
      if (systemErrorCode(error) !== "EEXIST") throw error;
    }
  }

  syncDirectory(path: string): Promise<void> {
    return syncDirectory(path);
  }

  async assertPresent(): Promise<void> {
    try {
      if ((await identityOf(this.root)) === this.#identity) return;
    } catch (error) {
      throw await mapSystemError(error, { root: this.root, what: "look at the destination" });
    }
    throw missing(this.root, "is not the directory any more that it was when this run began");
  }
}

/** Device and inode, which a mount or an unmount changes; `undefined` when there is no directory. */
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
    hint: "Is it mounted? A new destination is made by `ovault destination init`.",
  });
}
