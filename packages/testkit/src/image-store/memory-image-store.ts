import {
  assertKeyPrefix,
  assertObjectKey,
  type CallOptions,
  type CreateImageOptions,
  type ImageDraft,
  type ImageInfo,
  type ImageStore,
  IntegrityError,
  type ObjectKey,
  ObjectNotFoundError,
  StoreError,
  type StoredImage,
} from "@ovault/contract";

import { MemoryStore } from "../stores/memory-store.ts";
import { SparseBytes } from "./sparse-bytes.ts";

/** A complete image store in memory: the reference for all others. */
export class MemoryImageStore implements ImageStore {
  readonly capabilities = { clone: true };
  readonly objects = new MemoryStore();
  readonly #images = new Map<ObjectKey, SparseBytes>();

  async create(key: ObjectKey, { logicalBytes, from, signal }: CreateImageOptions): Promise<ImageDraft> {
    signal.throwIfAborted();
    assertObjectKey(key);
    const bytes = from === undefined ? new SparseBytes(logicalBytes) : this.#find(from).copy(logicalBytes);
    return new MemoryDraft(bytes, () => {
      if (this.#images.has(key)) throw new StoreError(`there is an image ${key} already`, { context: { key } });
      this.#images.set(key, bytes);
    });
  }

  async open(key: ObjectKey, { signal }: CallOptions): Promise<StoredImage> {
    signal.throwIfAborted();
    const bytes = this.#find(key);
    return {
      key,
      logicalBytes: bytes.length,
      async *extents(ownSignal) {
        for (const extent of bytes.extents()) {
          ownSignal.throwIfAborted();
          yield extent;
        }
      },
      async readInto(offset, target, ownSignal) {
        ownSignal.throwIfAborted();
        if (offset + target.byteLength > bytes.length) {
          throw new IntegrityError(`${key} ends at byte ${bytes.length}`, { context: { key } });
        }
        bytes.readInto(offset, target);
      },
      close: async () => {},
    };
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<ImageInfo> {
    assertKeyPrefix(prefix);
    for (const key of [...this.#images.keys()].toSorted()) {
      signal.throwIfAborted();
      const image = this.#images.get(key);
      if (image !== undefined && key.startsWith(prefix)) yield { key, logicalBytes: image.length };
    }
  }

  async delete(key: ObjectKey, { signal }: CallOptions): Promise<void> {
    signal.throwIfAborted();
    assertObjectKey(key);
    this.#images.delete(key);
  }

  async close(): Promise<void> {}

  #find(key: ObjectKey): SparseBytes {
    assertObjectKey(key);
    const image = this.#images.get(key);
    if (image === undefined) throw new ObjectNotFoundError(`no image ${key}`, { context: { key } });
    return image;
  }
}

class MemoryDraft implements ImageDraft {
  readonly #bytes: SparseBytes;
  readonly #publish: () => void;
  #ended = false;

  constructor(bytes: SparseBytes, publish: () => void) {
    this.#bytes = bytes;
    this.#publish = publish;
  }

  async write(offset: number, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    this.#assertOpen(offset, bytes.byteLength, signal);
    this.#bytes.write(offset, bytes);
  }

  async zero(offset: number, length: number, signal: AbortSignal): Promise<void> {
    this.#assertOpen(offset, length, signal);
    this.#bytes.zero(offset, length);
  }

  async commit(signal: AbortSignal): Promise<void> {
    this.#assertOpen(0, 0, signal);
    this.#publish();
    this.#ended = true;
  }

  async abort(): Promise<void> {
    this.#ended = true;
  }

  #assertOpen(offset: number, length: number, signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.#ended) throw new StoreError("the draft was ended");
    if (offset + length > this.#bytes.length) throw new StoreError(`the image ends at byte ${this.#bytes.length}`);
  }
}
