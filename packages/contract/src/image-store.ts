import type { DiskReader } from "./disk-reader.ts";
import type { CallOptions, ObjectKey, ObjectStore } from "./object-store.ts";

export interface ImageStoreCapabilities {
  /** `create` with `from` shares the unchanged blocks with the older image instead of copying them (reflink). */
  readonly clone: boolean;
}

/**
 * A destination that holds whole disk images with random access, for backups that a machine can boot from. Images
 * appear whole and durable at `commit`, or not at all, and never change afterwards. Drivers throw StoreError and its
 * kinds only, and do not retry. Keys have the form of object keys; offsets and lengths are in bytes.
 */
export interface ImageStore {
  readonly capabilities: ImageStoreCapabilities;
  /**
   * Small objects in the same place, with keys of their own: manifests, and the leases by which runs of several nodes
   * keep out of each other's way. Its `conditionalPut` decides whether several nodes may use the place. `close` of the
   * image store closes it too.
   * @since 0.2.0
   */
  readonly objects: ObjectStore;
  /** Begins an image, invisible until `commit`: zeros, or the content of another image, truncated or extended. */
  create(key: ObjectKey, options: CreateImageOptions): Promise<ImageDraft>;
  /** @throws ObjectNotFoundError */
  open(key: ObjectKey, options: CallOptions): Promise<StoredImage>;
  /** All images that are committed and whose key starts with `prefix` (empty, or ending in `/`), in ascending order of key. */
  list(prefix: string, options: CallOptions): AsyncIterable<ImageInfo>;
  /** Deleting what is not there is not an error. An open image stays readable until it is closed. */
  delete(key: ObjectKey, options: CallOptions): Promise<void>;
  /**
   * The room of the place. Absent where the store cannot say it.
   * @since 0.2.0
   */
  usage?(options: CallOptions): Promise<ImageStoreUsage>;
  close(): Promise<void>;
}

/** The room of a file system or volume, in bytes, with whatever else lies there. */
export interface ImageStoreUsage {
  readonly totalBytes: number;
  readonly usedBytes: number;
  /** What this process may still fill. */
  readonly freeBytes: number;
}

export interface ImageInfo {
  readonly key: ObjectKey;
  /** Size of the disk. */
  readonly logicalBytes: number;
  /**
   * Blocks of the store that the image refers to, in bytes. Those that it shares with other images count for each of
   * them. Absent where the store cannot say it without reading the image.
   * @since 0.2.0
   */
  readonly allocatedBytes?: number;
}

export interface CreateImageOptions extends CallOptions {
  readonly logicalBytes: number;
  /** Start with the content of this image. @throws ObjectNotFoundError */
  readonly from?: ObjectKey;
}

/**
 * The caller of `create` must end it with `commit` or `abort`. Writes may overlap in time, not in place. The store
 * itself removes what a killed process leaves of a draft: no key leads to it.
 */
export interface ImageDraft {
  /** `bytes` may lie in shared memory, and belong to the caller again when this resolves. */
  write(offset: number, bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Makes a range read as zeros, and deallocates it where possible. */
  zero(offset: number, length: number, signal: AbortSignal): Promise<void>;
  /** Makes everything durable, then visible. @throws StoreError when an image with this key exists by now */
  commit(signal: AbortSignal): Promise<void>;
  /** Removes the draft. Never throws; does nothing after `commit`. */
  abort(): Promise<void>;
}

export interface StoredImage extends ImageInfo, DiskReader {}
