import { createHash } from "node:crypto";
import { constants, lstat, open, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import {
  assertKeyPrefix,
  type CallOptions,
  type GetOptions,
  type ObjectInfo,
  type ObjectKey,
  type ObjectStore,
  type PutOptions,
  type StoreCapabilities,
  systemErrorCode,
  syncDirectory,
} from "@ovault/contract";
import { assertObjectLength, endsEarly, FileTree, notFound } from "@ovault/file-tree";

import { DRAFTS, removeDraft, removeStaleDrafts, writeDraft } from "./draft.ts";
import { listTree } from "./list-tree.ts";
import { LocalFiles } from "./local-files.ts";
import { mapSystemError } from "./map-system-error.ts";
import { publish, publishIfAbsent } from "./publish.ts";
import { readExactly } from "./read-exactly.ts";

/** Holds markers on file systems without hard links; `~` is in no key. */
const MARKERS = "~markers";

/** Opening a named pipe does not wait for a writer, so that it is seen to be no file. */
const READING = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Codes that mean that there is no file of this name. */
const ABSENT = new Set(["ENOENT", "ENOTDIR", "EISDIR"]);

/**
 * A directory as an object store: a local disk, an NFS or an SMB mount. The object `a/b` is the file `a/b`. Files are
 * 0600, directories 0700. The store flushes file and directory before a call answers, so every answer is durable.
 *
 * The store checks the signal every 8 MiB; a call that hangs in the kernel (a dead NFS server under a hard mount) hangs
 * until the kernel gives up.
 */
export class FilesystemStore implements ObjectStore {
  readonly capabilities: StoreCapabilities = { conditionalPut: true };
  readonly #files: LocalFiles;
  readonly #tree: FileTree;
  readonly #drafts: string;

  private constructor(files: LocalFiles) {
    this.#files = files;
    this.#tree = new FileTree(files.root);
    this.#drafts = join(files.root, DRAFTS);
  }

  /** Never makes the directory. @throws DestinationMissingError when it does not exist. */
  static async open(directory: string): Promise<FilesystemStore> {
    const store = new FilesystemStore(await LocalFiles.open(directory));
    await removeStaleDrafts(store.#drafts);
    return store;
  }

  async put(
    key: ObjectKey,
    parts: readonly Uint8Array[],
    { ifAbsent, signal }: PutOptions,
  ): Promise<"stored" | "exists"> {
    signal.throwIfAborted();
    try {
      const target = await this.#tree.prepare(this.#files, key);
      await this.#tree.prepareDirectory(this.#files, this.#drafts);
      const draft = await writeDraft(this.#drafts, parts, signal);
      try {
        signal.throwIfAborted();
        if (ifAbsent) return await publishIfAbsent({ draft, target }, () => this.#markerOf(key));
        await publish({ draft, target });
        return "stored";
      } finally {
        await removeDraft(draft);
      }
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") throw await this.#tree.vanished(this.#files, key, error);
      throw await this.#mapped(error, `write ${key}`);
    }
  }

  async get(key: ObjectKey, { range, signal }: GetOptions): Promise<Uint8Array> {
    signal.throwIfAborted();
    try {
      const path = await this.#tree.locate(this.#files, key);
      const handle = await open(path, READING);
      try {
        const found = await handle.stat();
        if (!found.isFile()) throw notFound(key);
        const { offset, length } = range ?? { offset: 0, length: found.size };
        // Checked before a buffer of that size is allocated.
        if (offset + length > found.size) throw endsEarly(key, found.size, offset + length);
        assertObjectLength(key, length);
        return await readExactly(handle, { key, offset, length }, signal);
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw await this.#readError(error, key);
    }
  }

  async stat(key: ObjectKey, { signal }: CallOptions): Promise<ObjectInfo> {
    signal.throwIfAborted();
    try {
      const found = await lstat(await this.#tree.locate(this.#files, key));
      if (!found.isFile()) throw notFound(key);
      return { key, bytes: found.size };
    } catch (error) {
      throw await this.#readError(error, key);
    }
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<ObjectInfo> {
    assertKeyPrefix(prefix);
    const directory = resolve(this.#tree.root, prefix);
    try {
      await this.#tree.assertPresent(this.#files);
      await this.#tree.assertReal(this.#files, directory);
      yield* listTree(directory, prefix, signal);
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") return;
      throw await this.#mapped(error, `list ${prefix}`);
    }
  }

  async delete(key: ObjectKey, { signal }: CallOptions): Promise<void> {
    signal.throwIfAborted();
    try {
      const path = await this.#tree.locate(this.#files, key);
      await unlink(path);
      await syncDirectory(dirname(path));
    } catch (error) {
      if (!ABSENT.has(systemErrorCode(error) ?? "")) throw await this.#mapped(error, `delete ${key}`);
      await this.#tree.assertPresent(this.#files);
    }
  }

  /** Holds nothing open between calls. */
  async close(): Promise<void> {}

  async #markerOf(key: ObjectKey): Promise<string> {
    const directory = join(this.#tree.root, MARKERS);
    await this.#tree.prepareDirectory(this.#files, directory);
    return join(directory, createHash("sha256").update(key).digest("hex"));
  }

  async #readError(error: unknown, key: ObjectKey): Promise<unknown> {
    if (!ABSENT.has(systemErrorCode(error) ?? "")) return await this.#mapped(error, `read ${key}`);
    await this.#tree.assertPresent(this.#files);
    return notFound(key, error);
  }

  async #mapped(error: unknown, what: string): Promise<unknown> {
    return await mapSystemError(error, { root: this.#tree.root, what });
  }
}
