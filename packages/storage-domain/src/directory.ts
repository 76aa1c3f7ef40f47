import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { link, mkdir, open, readdir, rm, unlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";

import { systemErrorCode } from "@ovault/contract";

import { StorageDomainError } from "./errors.ts";

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Opening a named pipe would otherwise wait for its writer. */
const READING = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const MAKING = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Modes and owner of what is made. */
export interface Ownership {
  readonly fileMode: number;
  readonly directoryMode: number;
  /** Undefined: that of this process. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

/**
 * One directory of a tree that another machine may write to at any time. Children are opened from the open directory,
 * and never through a symbolic link: nothing below leads out of the tree, whatever is renamed meanwhile.
 */
export class Directory implements AsyncDisposable {
  /** For people. */
  readonly path: string;
  readonly #handle: FileHandle;

  /** Opens the root of a tree, which may be a symbolic link itself. */
  static async open(path: string): Promise<Directory> {
    return new Directory(path, await open(path, constants.O_RDONLY | constants.O_DIRECTORY));
  }

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /** Undefined when there is none. @throws StorageDomainError when it is a link, or no directory */
  async child(name: string): Promise<Directory | undefined> {
    const handle = await this.#open(name, DIRECTORY, "directory");
    return handle && new Directory(join(this.path, name), handle);
  }

  /** Names of all entries, sorted. */
  async names(): Promise<readonly string[]> {
    return (await readdir(this.#place("."))).toSorted();
  }

  /** Opens a regular file for reading; undefined when there is none. @throws StorageDomainError for anything else */
  async file(name: string): Promise<FileHandle | undefined> {
    const handle = await this.#open(name, READING, "file");
    if (handle === undefined || (await handle.stat()).isFile()) return handle;
    await handle.close();
    throw new StorageDomainError(`${join(this.path, name)} is no file`);
  }

  /** Reads a whole file; undefined when there is none. @throws StorageDomainError when it is longer than `mostBytes` */
  async read(name: string, mostBytes: number): Promise<Buffer | undefined> {
    await using handle = await this.file(name);
    if (handle === undefined) return undefined;
    const target = Buffer.alloc(Math.min(mostBytes, (await handle.stat()).size) + 1);
    let filled = 0;
    while (filled < target.length) {
      const { bytesRead } = await handle.read(target, filled, target.length - filled, filled);
      if (bytesRead === 0) return target.subarray(0, filled);
      filled += bytesRead;
    }
    throw new StorageDomainError(`${join(this.path, name)} has more than ${target.length - 1} bytes`);
  }

  /** Makes a directory, and opens it. @throws StorageDomainError when the name is taken */
  async make(name: string, { directoryMode, owner }: Ownership): Promise<Directory> {
    await this.#orTaken(name, () => mkdir(this.#place(name), directoryMode));
    const made = await this.child(name);
    if (made === undefined) throw new StorageDomainError(`${join(this.path, name)} has vanished`);
    // The mode of mkdir is cut by the process's umask.
    await made.#handle.chmod(directoryMode);
    if (owner !== undefined) await made.#handle.chown(owner.uid, owner.gid);
    return made;
  }

  /** Makes an empty file, and opens it for writing. @throws StorageDomainError when the name is taken */
  async create(name: string, { fileMode, owner }: Ownership): Promise<FileHandle> {
    const handle = await this.#orTaken(name, () => open(this.#place(name), MAKING, fileMode));
    try {
      await handle.chmod(fileMode);
      if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Writes a small file so that it appears whole, or not at all. @throws StorageDomainError when the name is taken */
  async write(name: string, bytes: Uint8Array, ownership: Ownership): Promise<void> {
    const draft = `${name}.${randomUUID()}.new`;
    try {
      await using handle = await this.create(draft, ownership);
      await handle.writeFile(bytes);
      await handle.sync();
      // Unlike a rename, it replaces nothing.
      await this.#orTaken(name, () => link(this.#place(draft), this.#place(name)));
    } finally {
      await unlink(this.#place(draft)).catch(() => undefined);
    }
    await this.sync();
  }

  /** Removes a child with everything below it; links are removed, not followed. Missing is not an error. */
  async remove(name: string): Promise<void> {
    await rm(this.#place(name), { recursive: true, force: true });
  }

  /** Makes names durable. */
  async sync(): Promise<void> {
    await this.#handle.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  async #open(name: string, flags: number, what: string): Promise<FileHandle | undefined> {
    try {
      return await open(this.#place(name), flags);
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === "ENOENT") return undefined;
      // ENXIO: a socket.
      if (code !== "ELOOP" && code !== "ENOTDIR" && code !== "ENXIO") throw error;
      throw new StorageDomainError(`${join(this.path, name)} is a link or no ${what}`, { cause: error });
    }
  }

  async #orTaken<T>(name: string, make: () => Promise<T>): Promise<T> {
    try {
      return await make();
    } catch (error) {
      if (systemErrorCode(error) !== "EEXIST") throw error;
      throw new StorageDomainError(`${join(this.path, name)} exists already`, { cause: error });
    }
  }

  /** The child through the open directory, wherever that has been moved to. */
  #place(name: string): string {
    if (name.includes("/") || name === ".." || name === "" || name.includes("\0")) {
      throw new RangeError(`${JSON.stringify(name)} is no name of a child`);
    }
    return `/proc/self/fd/${this.#handle.fd}/${name}`;
  }
}
