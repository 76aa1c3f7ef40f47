import { lstat, readdir, realpath } from "node:fs/promises";
import { join } from "node:path";

import { systemErrorCode } from "@ovault/contract";

import type { FileAttributes, FileId } from "../nfs-file-system.ts";
import { NfsStatusError } from "../nfs3/status.ts";
import { attributesOf, type Owner } from "./local-attributes.ts";
import { NodeTable, type Place } from "./node-table.ts";

/** How long a tree that was read through is taken for known, when a handle leads to nothing. */
const SURVEY_MS = 1_000;

/** A file, and a path that leads to it. */
export interface Located {
  readonly attributes: FileAttributes;
  readonly path: string;
}

/**
 * Finds the files of a directory tree by what their handles say. File systems that are mounted below it are not shown:
 * their inode numbers are those of other files. One call at a time, without changes of names beside it.
 */
export class LocalTree {
  readonly directory: string;
  readonly #device: bigint;
  readonly #owner: Owner | undefined;
  readonly #nodes: NodeTable;
  #surveyedAt = Number.NEGATIVE_INFINITY;

  /** Reads the tree through. @throws the error of the system when there is no such directory */
  static async open(directory: string, owner: Owner | undefined): Promise<LocalTree> {
    const real = await realpath(directory);
    const { ino, dev } = await lstat(real, { bigint: true });
    const tree = new LocalTree(real, dev, ino, owner);
    await tree.#survey();
    return tree;
  }

  private constructor(directory: string, device: bigint, root: bigint, owner: Owner | undefined) {
    this.directory = directory;
    this.#device = device;
    this.#owner = owner;
    this.#nodes = new NodeTable(root);
  }

  /** What there is at a path now. */
  async look(path: string): Promise<FileAttributes> {
    const stats = await lstat(path, { bigint: true });
    const found = stats.dev === this.#device ? attributesOf(stats, this.#owner) : undefined;
    if (found === undefined) throw new NfsStatusError("notFound");
    return found;
  }

  /** @throws NfsStatusError `stale` when the file is gone, also when another one has its number by now */
  async find(id: FileId): Promise<Located> {
    const known = await this.#findKnown(id);
    if (known !== undefined) return known;
    // Something else than this server may have moved it.
    if (performance.now() - this.#surveyedAt >= SURVEY_MS) await this.#survey();
    const found = await this.#findKnown(id);
    if (found === undefined) throw new NfsStatusError("stale");
    return found;
  }

  /** A path to go on from. The system would follow a link there. */
  async directoryOf(id: FileId): Promise<string> {
    const { attributes, path } = await this.find(id);
    if (attributes.type !== "directory") throw new NfsStatusError("notDirectory");
    return path;
  }

  async child(directory: FileId, name: string): Promise<Located> {
    const path = join(await this.directoryOf(directory), name);
    const attributes = await this.look(path);
    this.note(attributes.id, { directory: directory.number, name });
    return { attributes, path };
  }

  /** The directory above; of the root, the root. */
  async parent(directory: FileId): Promise<FileAttributes> {
    const path = await this.directoryOf(directory);
    return await this.look(path === this.directory ? path : join(path, ".."));
  }

  note({ number }: FileId, place: Place): void {
    this.#nodes.note(number, place);
  }

  forget({ number }: FileId, place: Place): void {
    this.#nodes.forget(number, place);
  }

  async #findKnown(id: FileId): Promise<Located | undefined> {
    if (id.number === this.#nodes.root) {
      const attributes = await this.look(this.directory);
      return isSame(attributes.id, id) ? { attributes, path: this.directory } : undefined;
    }
    for (const place of this.#nodes.placesOf(id.number)) {
      const names = this.#nodes.namesTo(place.directory);
      if (names === undefined) continue;
      const path = join(this.directory, ...names, place.name);
      const attributes = await this.#lookForAny(path);
      if (attributes?.id.number !== id.number) this.forget(id, place);
      else if (isSame(attributes.id, id)) return { attributes, path };
    }
    return undefined;
  }

  async #lookForAny(path: string): Promise<FileAttributes | undefined> {
    try {
      return await this.look(path);
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === "ENOENT" || code === "ENOTDIR" || error instanceof NfsStatusError) return undefined;
      throw error;
    }
  }

  async #survey(): Promise<void> {
    this.#surveyedAt = performance.now();
    const waiting = [{ path: this.directory, number: this.#nodes.root }];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      for (const name of await readdir(at.path).catch(() => [])) {
        const path = join(at.path, name);
        const found = await this.look(path).catch(() => undefined);
        if (found === undefined) continue;
        this.note(found.id, { directory: at.number, name });
        if (found.type === "directory") waiting.push({ path, number: found.id.number });
      }
    }
  }
}

function isSame(one: FileId, other: FileId): boolean {
  return one.number === other.number && one.generation === other.generation;
}
