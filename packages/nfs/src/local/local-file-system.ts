import { constants } from "node:fs";
import {
  link,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rmdir,
  statfs,
  symlink,
  unlink,
  type FileHandle,
} from "node:fs/promises";
import { join } from "node:path";

import { Semaphore, syncDirectory, systemErrorCode } from "@ovault/contract";

import type {
  AttributeChange,
  CreateOptions,
  DirectoryEntry,
  FileAttributes,
  FileId,
  FileSystemSpace,
  NfsFileSystem,
} from "../nfs-file-system.ts";
import { NfsStatusError } from "../nfs3/status.ts";
import { changeFile, changeLink } from "./change-file.ts";
import { createExclusively } from "./create-exclusively.ts";
import { attributesOf, type Owner } from "./local-attributes.ts";
import { LocalTree } from "./local-tree.ts";
import { OpenFiles } from "./open-files.ts";

export interface LocalFileSystemOptions {
  /** Shown as the owner of everything; clients cannot give files away then. Default: the owners that files have. */
  readonly owner?: Owner;
  /** Files kept open. Default 256. */
  readonly openFiles?: number;
}

const OPEN_FILES = 256;
const NO_FOLLOW = constants.O_NOFOLLOW | constants.O_NONBLOCK;
const MODE = { file: 0o644, directory: 0o755 } as const;
const never = new AbortController().signal;

/**
 * A directory of this machine. Handles stay valid over a restart. One call at a time looks paths up or changes names,
 * so that no client can put a link where another call is about to pass; open files are read and written beside.
 */
export class LocalFileSystem implements NfsFileSystem, AsyncDisposable {
  readonly #tree: LocalTree;
  readonly #owner: Owner | undefined;
  readonly #open: OpenFiles;
  readonly #names = new Semaphore(1);

  /** Reads the tree through. @throws the error of the system when there is no such directory */
  static async open(directory: string, options: LocalFileSystemOptions = {}): Promise<LocalFileSystem> {
    return new LocalFileSystem(await LocalTree.open(directory, options.owner), options);
  }

  private constructor(tree: LocalTree, { owner, openFiles = OPEN_FILES }: LocalFileSystemOptions) {
    this.#tree = tree;
    this.#owner = owner;
    this.#open = new OpenFiles(openFiles, (id) => this.#alone(() => this.#openFile(id)));
  }

  async root(): Promise<FileId> {
    return (await this.#tree.look(this.#tree.directory)).id;
  }

  async attributes(id: FileId): Promise<FileAttributes> {
    if (!this.#open.has(id)) return await this.#alone(async () => (await this.#tree.find(id)).attributes);
    const stats = await this.#open.use(id, (handle) => handle.stat({ bigint: true }));
    // Something else than this server has removed it.
    if (stats.nlink === 0n) this.#open.drop(id);
    const attributes = stats.nlink === 0n ? undefined : attributesOf(stats, this.#owner);
    if (attributes === undefined) throw new NfsStatusError("stale");
    return attributes;
  }

  async change(id: FileId, change: AttributeChange): Promise<void> {
    const { type } = await this.attributes(id);
    const allowed = this.#allowed(change);
    if (type === "file") {
      await this.#open.use(id, (handle) => changeFile(handle, allowed));
      if (change.mode !== undefined) this.#open.drop(id);
      return;
    }
    if (change.bytes !== undefined) throw new NfsStatusError(type === "directory" ? "isDirectory" : "invalid");
    await this.#alone(async () => {
      const { path } = await this.#tree.find(id);
      await (type === "link" ? changeLink(path, allowed) : changeDirectory(path, allowed));
    });
  }

  lookup(directory: FileId, name: string): Promise<FileAttributes> {
    return this.#alone(async () => (await this.#tree.child(directory, name)).attributes);
  }

  readLink(id: FileId): Promise<string> {
    return this.#alone(async () => {
      const { path, attributes } = await this.#tree.find(id);
      if (attributes.type !== "link") throw new NfsStatusError("invalid");
      return await readlink(path);
    });
  }

  async read(id: FileId, offset: number, target: Uint8Array): Promise<number> {
    return await this.#open.use(id, async (handle) => {
      let filled = 0;
      while (filled < target.length) {
        const { bytesRead } = await handle.read(target, filled, target.length - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    });
  }

  async write(id: FileId, offset: number, bytes: Uint8Array): Promise<void> {
    await this.#open.use(id, async (handle) => {
      for (let done = 0; done < bytes.length;) {
        done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
      }
    });
  }

  async sync(id: FileId): Promise<void> {
    // Directories and links are durable already.
    if (!this.#open.has(id) && (await this.attributes(id)).type !== "file") return;
    await this.#open.use(id, (handle) => handle.datasync());
  }

  create(directory: FileId, name: string, { change, isNew }: CreateOptions): Promise<FileId> {
    return this.#make(directory, name, async (path) => {
      const flags = constants.O_RDWR | NO_FOLLOW;
      try {
        await using handle = await open(path, flags | constants.O_CREAT | constants.O_EXCL, change.mode ?? MODE.file);
        await changeFile(handle, this.#allowed(change));
      } catch (error) {
        if (isNew || systemErrorCode(error) !== "EEXIST") throw error;
        // Of a file that is there, only the size is changed, as by `open` with O_CREAT and O_TRUNC.
        if (change.bytes === undefined) return;
        await using handle = await open(path, flags);
        await changeFile(handle, { bytes: change.bytes });
      }
    });
  }

  createExclusively(directory: FileId, name: string, verifier: Uint8Array): Promise<FileId> {
    const look = (path: string): Promise<FileAttributes> => this.#tree.look(path);
    return this.#make(directory, name, (path) => createExclusively(path, { verifier, mode: MODE.file, look }));
  }

  makeDirectory(directory: FileId, name: string, change: AttributeChange): Promise<FileId> {
    return this.#make(directory, name, async (path) => {
      const mode = change.mode ?? MODE.directory;
      await mkdir(path, mode);
      await changeDirectory(path, { ...this.#allowed(change), mode });
    });
  }

  makeLink(directory: FileId, name: string, target: string): Promise<FileId> {
    return this.#make(directory, name, (path) => symlink(target, path));
  }

  async link(id: FileId, directory: FileId, name: string): Promise<void> {
    await this.#make(directory, name, async (path) => await link((await this.#tree.find(id)).path, path));
  }

  remove(directory: FileId, name: string): Promise<void> {
    return this.#remove(directory, name, unlink);
  }

  removeDirectory(directory: FileId, name: string): Promise<void> {
    return this.#remove(directory, name, rmdir);
  }

  rename(from: FileId, name: string, to: FileId, newName: string): Promise<void> {
    return this.#alone(async () => {
      const [fromPath, toPath] = [await this.#tree.directoryOf(from), await this.#tree.directoryOf(to)];
      const { attributes: moved } = await this.#tree.child(from, name);
      const replaced = await this.#tree.child(to, newName).catch(() => undefined);
      await rename(join(fromPath, name), join(toPath, newName));
      const place = { directory: to.number, name: newName };
      // Two names of one file both stay.
      if (replaced?.attributes.id.number !== moved.id.number) {
        if (replaced !== undefined) this.#gone(replaced.attributes, place);
        this.#tree.forget(moved.id, { directory: from.number, name });
      }
      this.#tree.note(moved.id, place);
      await syncDirectory(toPath);
      if (from.number !== to.number) await syncDirectory(fromPath);
    });
  }

  list(directory: FileId): Promise<readonly DirectoryEntry[]> {
    return this.#alone(async () => {
      const path = await this.#tree.directoryOf(directory);
      const entries: DirectoryEntry[] = [];
      for (const name of await readdir(path)) {
        const found = await this.#tree.look(join(path, name)).catch(() => undefined);
        if (found === undefined) continue;
        this.#tree.note(found.id, { directory: directory.number, name });
        entries.push({ name, id: found.id });
      }
      return entries;
    });
  }

  parent(directory: FileId): Promise<FileId> {
    return this.#alone(async () => (await this.#tree.parent(directory)).id);
  }

  async space(): Promise<FileSystemSpace> {
    const { bsize, blocks, bavail, files, ffree } = await statfs(this.#tree.directory, { bigint: true });
    return { totalBytes: bsize * blocks, freeBytes: bsize * bavail, totalFiles: files, freeFiles: ffree };
  }

  /** Call it when no server uses it any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open.close();
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#names.run(work, never);
  }

  #make(directory: FileId, name: string, make: (path: string) => Promise<void>): Promise<FileId> {
    return this.#alone(async () => {
      const parent = await this.#tree.directoryOf(directory);
      await make(join(parent, name));
      const { attributes } = await this.#tree.child(directory, name);
      await syncDirectory(parent);
      return attributes.id;
    });
  }

  #remove(directory: FileId, name: string, remove: (path: string) => Promise<void>): Promise<void> {
    return this.#alone(async () => {
      const { attributes, path } = await this.#tree.child(directory, name);
      await remove(path);
      this.#gone(attributes, { directory: directory.number, name });
      await syncDirectory(join(path, ".."));
    });
  }

  /** One name of a file is. */
  #gone({ id, type, links }: FileAttributes, place: { readonly directory: bigint; readonly name: string }): void {
    this.#tree.forget(id, place);
    if (type !== "file" || links <= 1) this.#open.drop(id);
  }

  /** A file that may not be written is opened for reading. */
  async #openFile(id: FileId): Promise<FileHandle> {
    const { path, attributes } = await this.#tree.find(id);
    if (attributes.type !== "file") {
      throw new NfsStatusError(attributes.type === "directory" ? "isDirectory" : "invalid");
    }
    return await open(path, constants.O_RDWR | NO_FOLLOW).catch((error: unknown) => {
      const code = systemErrorCode(error);
      if (code !== "EACCES" && code !== "EROFS") throw error;
      return open(path, constants.O_RDONLY | NO_FOLLOW);
    });
  }

  /** Owners stay where all files are shown as one owner's. */
  #allowed({ uid, gid, ...change }: AttributeChange): AttributeChange {
    if (this.#owner !== undefined) return change;
    return { ...change, ...(uid !== undefined && { uid }), ...(gid !== undefined && { gid }) };
  }
}

async function changeDirectory(path: string, change: AttributeChange): Promise<void> {
  await using handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | NO_FOLLOW);
  await changeFile(handle, change);
}
