import {
  NfsStatusError,
  type AttributeChange,
  type CreateOptions,
  type DirectoryEntry,
  type FileAttributes,
  type FileId,
  type FileSystemSpace,
  type NfsFileSystem,
} from "@ovault/nfs";

import type { FaultSwitches } from "../engine/faults.ts";

/** Writes that a full file system has no room for; metadata still fits. */
const LARGE_BYTES = 64 * 1024;

/** Files that cannot be changed while the fault `staging-read-only` or `staging-full` is on. */
export class FaultyFiles implements NfsFileSystem {
  readonly #files: NfsFileSystem;
  readonly #faults: FaultSwitches;

  constructor(files: NfsFileSystem, faults: FaultSwitches) {
    this.#files = files;
    this.#faults = faults;
  }

  async write(id: FileId, offset: number, bytes: Uint8Array): Promise<void> {
    this.#change();
    if (bytes.length >= LARGE_BYTES && this.#faults.strikes("staging-full")) throw new NfsStatusError("noSpace");
    return this.#files.write(id, offset, bytes);
  }

  async change(id: FileId, change: AttributeChange): Promise<void> {
    return this.#change().change(id, change);
  }

  async create(directory: FileId, name: string, options: CreateOptions): Promise<FileId> {
    return this.#change().create(directory, name, options);
  }

  async createExclusively(directory: FileId, name: string, verifier: Uint8Array): Promise<FileId> {
    return this.#change().createExclusively(directory, name, verifier);
  }

  async makeDirectory(directory: FileId, name: string, change: AttributeChange): Promise<FileId> {
    return this.#change().makeDirectory(directory, name, change);
  }

  async makeLink(directory: FileId, name: string, target: string): Promise<FileId> {
    return this.#change().makeLink(directory, name, target);
  }

  async link(id: FileId, directory: FileId, name: string): Promise<void> {
    return this.#change().link(id, directory, name);
  }

  async remove(directory: FileId, name: string): Promise<void> {
    return this.#change().remove(directory, name);
  }

  async removeDirectory(directory: FileId, name: string): Promise<void> {
    return this.#change().removeDirectory(directory, name);
  }

  async rename(from: FileId, name: string, to: FileId, newName: string): Promise<void> {
    return this.#change().rename(from, name, to, newName);
  }

  root(): Promise<FileId> {
    return this.#files.root();
  }

  attributes(id: FileId): Promise<FileAttributes> {
    return this.#files.attributes(id);
  }

  lookup(directory: FileId, name: string): Promise<FileAttributes> {
    return this.#files.lookup(directory, name);
  }

  readLink(id: FileId): Promise<string> {
    return this.#files.readLink(id);
  }

  read(id: FileId, offset: number, target: Uint8Array): Promise<number> {
    return this.#files.read(id, offset, target);
  }

  sync(id: FileId): Promise<void> {
    return this.#files.sync(id);
  }

  list(directory: FileId): Promise<readonly DirectoryEntry[]> {
    return this.#files.list(directory);
  }

  parent(directory: FileId): Promise<FileId> {
    return this.#files.parent(directory);
  }

  space(): Promise<FileSystemSpace> {
    return this.#files.space();
  }

  /** The files, to change them. */
  #change(): NfsFileSystem {
    if (this.#faults.strikes("staging-read-only")) throw new NfsStatusError("readOnly");
    return this.#files;
  }
}
