import type { ObjectStore } from "../contract/object-store.ts";
import type { ChunkId } from "./digest.ts";
import type { PackListing } from "./index-format.ts";
import { packKey, randomName } from "./layout.ts";
import { encodeDirectory, encodeHeader, HEADER_BYTES, type PackEntry, type PackKind } from "./pack-format.ts";

export interface PackWriterOptions {
  readonly store: ObjectStore;
  readonly kind: PackKind;
  /** A pack is put when it has reached this many bytes. */
  readonly targetBytes: number;
  /** Packs being put at once; `append` waits for one to be done. Bounds memory to maxPuts packs and the one being filled. */
  readonly maxPuts: number;
  readonly onPut: (listing: PackListing) => void | Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Gathers stored chunks into packs and puts full packs in the background. The first failed put fails every later call,
 * and `finish`: nothing may be sealed on top of a lost pack.
 */
export class PackWriter {
  readonly #options: PackWriterOptions;
  readonly #puts = new Set<Promise<void>>();
  #parts: Uint8Array[] = [];
  #entries: PackEntry[] = [];
  #bytes = HEADER_BYTES;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: PackWriterOptions) {
    this.#options = options;
  }

  /** Keeps `stored` until its pack is put; the caller must not change it any more. */
  async append(id: ChunkId, stored: Uint8Array, plainBytes: number, codec: number): Promise<void> {
    this.#rethrow();
    this.#entries.push({ id, offset: this.#bytes, storedBytes: stored.byteLength, plainBytes, codec });
    this.#parts.push(stored);
    this.#bytes += stored.byteLength;
    if (this.#bytes >= this.#options.targetBytes) this.#put();
    while (this.#puts.size >= this.#options.maxPuts) await Promise.race(this.#puts);
    this.#rethrow();
  }

  /** Puts what is left and waits until every pack is durable. */
  async finish(): Promise<void> {
    if (this.#entries.length > 0 && this.#failure === undefined) this.#put();
    await this.idle();
    this.#rethrow();
  }

  /** Waits until no put is in flight, whatever became of them. */
  async idle(): Promise<void> {
    while (this.#puts.size > 0) await Promise.all(this.#puts);
  }

  #put(): void {
    const { store, kind, signal, onPut } = this.#options;
    const name = randomName();
    const entries = this.#entries;
    const dataEnd = this.#bytes;
    const parts = [encodeHeader(kind), ...this.#parts, encodeDirectory(kind, entries, dataEnd)];
    this.#parts = [];
    this.#entries = [];
    this.#bytes = HEADER_BYTES;
    const put = (async () => {
      try {
        await store.put(packKey(name), parts, { ifAbsent: true, signal });
        await onPut({ name, kind, dataEnd, entries });
      } catch (error) {
        this.#failure ??= { error };
      }
    })();
    const settled = put.finally(() => this.#puts.delete(settled));
    this.#puts.add(settled);
  }

  #rethrow(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
