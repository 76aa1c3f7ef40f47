import { constants } from "node:fs";
import { access, chmod, type FileHandle, mkdir, open, readFile, rename, statfs, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import {
  assertKeyPrefix,
  assertObjectKey,
  type CallOptions,
  type CreateImageOptions,
  type ImageDraft,
  type ImageInfo,
  type ImageStore,
  type ImageStoreUsage,
  IntegrityError,
  messageOf,
  type ObjectKey,
  ObjectNotFoundError,
  type ObjectStore,
  StoreError,
  type StoredImage,
  syncDirectory,
  systemErrorCode,
} from "@ovault/contract";
import {
  FilesystemStore,
  LocalFiles,
  mapSystemError,
  newDraftName,
  removeDraft,
  removeStaleDrafts,
} from "@ovault/destination-filesystem";
import { FileTree } from "@ovault/file-tree";

import { assertReflinks } from "./assert-reflinks.ts";
import { BlockSums } from "./block-sums.ts";
import { cloneFile } from "./clone-file.ts";
import { listImages } from "./image-tree.ts";
import { setImmutable } from "./immutable.ts";
import { DISK_FILE, draftsDirectory, IMAGE_SUFFIX, imagesDirectory, objectsDirectory, SUMS_FILE } from "./layout.ts";
import { RawDraft } from "./raw-draft.ts";
import { RawImage } from "./raw-image.ts";
import { resizeDisk } from "./resize-disk.ts";

/** Codes of a name that another image has. */
const TAKEN = new Set(["ENOTEMPTY", "EEXIST"]);

export interface SyntheticStoreOptions {
  /** Nothing is made, removed or tried in the directory. */
  readonly readOnly?: boolean;
}

/**
 * A directory on a file system with reflinks as an image store. Each image is a directory with the raw disk and the
 * checksums of its blocks: both appear by one rename, and neither changes afterwards. A clone shares every block with
 * the older image until it is written.
 */
export class SyntheticStore implements ImageStore {
  readonly capabilities = { clone: true };
  readonly objects: ObjectStore;
  readonly #root: string;
  readonly #files: LocalFiles;
  readonly #tree: FileTree;
  readonly #drafts: string;

  private constructor(root: string, files: LocalFiles, objects: ObjectStore) {
    this.objects = objects;
    this.#root = root;
    this.#files = files;
    this.#tree = new FileTree(files.root);
    this.#drafts = draftsDirectory(root);
  }

  /**
   * Never makes the directory.
   * @throws DestinationMissingError when it does not exist, or is no synthetic destination
   * @throws StoreError where the file system has no reflinks
   */
  static async open(directory: string, { readOnly = false }: SyntheticStoreOptions = {}): Promise<SyntheticStore> {
    const { root } = await LocalFiles.open(directory);
    const files = await LocalFiles.open(imagesDirectory(root));
    const drafts = await LocalFiles.open(draftsDirectory(root));
    if (!readOnly) {
      await removeStaleDrafts(drafts.root);
      await assertReflinks(drafts.root);
    }
    return new SyntheticStore(root, files, await FilesystemStore.open(objectsDirectory(root)));
  }

  async create(key: ObjectKey, { logicalBytes, from, signal }: CreateImageOptions): Promise<ImageDraft> {
    signal.throwIfAborted();
    assertObjectKey(key);
    const draft = join(this.#drafts, newDraftName());
    const disk = join(draft, DISK_FILE);
    let handle: FileHandle | undefined;
    try {
      await mkdir(draft, { mode: 0o700 });
      const sums = from === undefined ? undefined : await this.#clone(from, disk);
      handle = await open(disk, sums === undefined ? "wx+" : "r+", 0o600);
      return new RawDraft({
        key,
        root: this.#root,
        handle,
        sums: await resizeDisk(handle, logicalBytes, sums && { key: from ?? key, sums }),
        publish: (bytes) => this.#publish(key, draft, bytes),
        discard: () => removeDraft(draft),
      });
    } catch (error) {
      await handle?.close().catch(() => undefined);
      await removeDraft(draft);
      throw await this.#mapped(error, `begin image ${key}`);
    }
  }

  async open(key: ObjectKey, { signal }: CallOptions): Promise<StoredImage> {
    signal.throwIfAborted();
    let handle: FileHandle | undefined;
    try {
      const directory = await this.#locate(key);
      handle = await open(join(directory, DISK_FILE), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      return new RawImage({ key, root: this.#root, handle, sums: await sumsOf(key, directory, handle) });
    } catch (error) {
      await handle?.close().catch(() => undefined);
      throw await this.#readError(error, key);
    }
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<ImageInfo> {
    signal.throwIfAborted();
    assertKeyPrefix(prefix);
    try {
      await this.#tree.assertPresent(this.#files);
      await this.#tree.assertReal(this.#files, resolve(this.#tree.root, prefix));
      yield* listImages(this.#tree.root, prefix, signal);
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") return;
      throw await this.#mapped(error, `list ${prefix}`);
    }
  }

  async delete(key: ObjectKey, { signal }: CallOptions): Promise<void> {
    signal.throwIfAborted();
    const removed = join(this.#drafts, newDraftName());
    try {
      const directory = await this.#locate(key);
      await setImmutable(false, filesIn(directory));
      await rename(directory, removed);
      await syncDirectory(dirname(directory));
    } catch (error) {
      if (systemErrorCode(error) !== "ENOENT") throw await this.#mapped(error, `delete image ${key}`);
      return await this.#tree.assertPresent(this.#files);
    }
    await removeDraft(removed);
  }

  async usage({ signal }: CallOptions): Promise<ImageStoreUsage> {
    signal.throwIfAborted();
    try {
      await this.#tree.assertPresent(this.#files);
      const { bsize, blocks, bfree, bavail } = await statfs(this.#root);
      return { totalBytes: blocks * bsize, usedBytes: (blocks - bfree) * bsize, freeBytes: bavail * bsize };
    } catch (error) {
      throw await this.#mapped(error, "ask for free room");
    }
  }

  async close(): Promise<void> {
    await this.objects.close();
  }

  /** Makes the disk of a draft from an image, and answers its checksums. */
  async #clone(from: ObjectKey, disk: string): Promise<BlockSums> {
    try {
      const directory = await this.#locate(from);
      await cloneFile(join(directory, DISK_FILE), disk);
      await chmod(disk, 0o600);
      const handle = await open(disk, "r");
      try {
        return await sumsOf(from, directory, handle);
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw await this.#readError(error, from);
    }
  }

  async #publish(key: ObjectKey, draft: string, sums: Uint8Array): Promise<void> {
    const [disk, sumsFile] = filesIn(draft);
    await writeFile(sumsFile, sums, { flag: "wx", mode: 0o400, flush: true });
    await chmod(disk, 0o400);
    await syncDirectory(draft);
    const directory = (await this.#tree.prepare(this.#files, key)) + IMAGE_SUFFIX;
    try {
      await rename(draft, directory);
    } catch (error) {
      if (TAKEN.has(systemErrorCode(error) ?? "")) {
        throw new StoreError(`there is an image ${key} already`, { cause: error, context: { key } });
      }
      if (systemErrorCode(error) === "ENOENT") throw await this.#tree.vanished(this.#files, key, error);
      throw error;
    }
    await syncDirectory(dirname(directory));
    await setImmutable(true, filesIn(directory));
  }

  async #locate(key: ObjectKey): Promise<string> {
    return (await this.#tree.locate(this.#files, key)) + IMAGE_SUFFIX;
  }

  async #readError(error: unknown, key: ObjectKey): Promise<unknown> {
    const code = systemErrorCode(error) ?? "";
    if (code !== "ENOENT" && code !== "ENOTDIR") return await this.#mapped(error, `read image ${key}`);
    await this.#tree.assertPresent(this.#files);
    return new ObjectNotFoundError(`no image ${key}`, { cause: error, context: { key } });
  }

  async #mapped(error: unknown, what: string): Promise<unknown> {
    return await mapSystemError(error, { root: this.#root, what });
  }
}

function filesIn(directory: string): readonly [disk: string, sums: string] {
  return [join(directory, DISK_FILE), join(directory, SUMS_FILE)];
}

/** @throws IntegrityError when the checksums are missing, damaged, or of a disk of another size */
async function sumsOf(key: ObjectKey, directory: string, disk: FileHandle): Promise<BlockSums> {
  const found = await disk.stat();
  if (!found.isFile()) throw new IntegrityError(`image ${key} is not a file`, { context: { key } });
  try {
    return BlockSums.decode(await readFile(join(directory, SUMS_FILE)), found.size);
  } catch (cause) {
    const code = systemErrorCode(cause);
    // The image may have been deleted in the meantime.
    if (code === "ENOENT") await access(directory);
    else if (!(cause instanceof IntegrityError)) throw cause;
    const why = code === "ENOENT" ? "the file of its checksums is gone" : messageOf(cause);
    throw new IntegrityError(`image ${key} cannot be trusted: ${why}`, { cause, context: { key } });
  }
}
