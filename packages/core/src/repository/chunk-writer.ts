import type { Codec } from "../contract/codec.ts";
import type { ObjectStore } from "../contract/object-store.ts";
import { BitSet } from "../util/bit-set.ts";
import { copyOf } from "../util/copy-of.ts";
import { toHex } from "../util/hex.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import type { ChunkId } from "./digest.ts";
import type { PackListing } from "./index-format.ts";
import { IndexWriter } from "./index-writer.ts";
import { newPackName } from "./layout.ts";
import type { LoadedIndex } from "./loaded-index.ts";
import type { PackKind } from "./pack-format.ts";
import type { PendingChunks } from "./pending-chunks.ts";
import { PackPresence } from "./pack-presence.ts";
import type { PackEntry } from "./pack-entries.ts";
import { PackWriter } from "./pack-writer.ts";
import type { Protection } from "./protection.ts";

export interface ChunkWriterOptions {
  readonly store: ObjectStore;
  readonly protection: Protection;
  readonly index: ChunkIndex;
  /** Told of the index objects that are put. */
  readonly loaded: LoadedIndex;
  /** Of all writers of the process. */
  readonly pending: PendingChunks;
  readonly codec: Codec;
  readonly packBytes: number;
  /** Kinds of which no chunk counts as known: they are stored again. For a run that met damage. */
  readonly anew: readonly PackKind[];
  /** Of the run that writes: the names of its packs tell it. */
  readonly runId: string;
  /** Asked for every pack that is put: until when the store shall hold it. */
  readonly retainUntil: () => Date | undefined;
  readonly signal: AbortSignal;
}

const MAX_PUTS = 2;

/**
 * Stores chunks once: a chunk that the repository has, or that this or another writer of the process has already taken, is
 * not stored again, whatever the order in which lanes bring it.
 */
export class ChunkWriter {
  readonly #options: ChunkWriterOptions;
  readonly #packs: Readonly<Record<PackKind, PackWriter>>;
  readonly #index: IndexWriter;
  readonly #presence: PackPresence;
  /** Ids in hex of the chunks of packs that are not yet put. */
  readonly #taken = new Set<string>();
  /** Chunks that were stored anew, by their numbers in the index. */
  readonly #renewed = new BitSet();

  constructor(options: ChunkWriterOptions) {
    this.#options = options;
    const packWriter = (kind: PackKind): PackWriter =>
      new PackWriter({
        store: options.store,
        protection: options.protection,
        retainUntil: options.retainUntil,
        newName: () => newPackName(options.runId),
        kind,
        targetBytes: options.packBytes,
        maxPuts: MAX_PUTS,
        onPut: (listing) => this.#onPut(listing),
        onFailure: () => this.#dropPending(),
        signal: options.signal,
      });
    this.#packs = { data: packWriter("data"), pages: packWriter("pages") };
    const { store, index, loaded, signal } = options;
    this.#index = new IndexWriter({
      store,
      onPut: (key, listings) =>
        loaded.addOwn(
          key,
          Uint32Array.from(listings, (listing) => index.add(listing)),
        ),
      signal,
    });
    this.#presence = new PackPresence(options);
  }

  idOf(plain: Uint8Array): Promise<ChunkId> {
    return this.#options.protection.chunkId(plain);
  }

  /** True when the chunk need not be stored: it is in a pack that this run has seen, or taken already. */
  async has(kind: PackKind, id: ChunkId): Promise<boolean> {
    for (let pack = this.#packOf(kind, id); pack !== undefined; pack = this.#packOf(kind, id)) {
      if (this.#presence.has(pack)) return true;
      await this.#presence.ask(pack);
    }
    return this.#taken.has(toHex(id));
  }

  /**
   * Stores `plain` under `id` unless it is there. Resolves to the bytes added to the repository, 0 when it was known.
   * `plain` belongs to the caller again when this resolves. Durable only after `finish`.
   */
  async store(kind: PackKind, id: ChunkId, plain: Uint8Array): Promise<number> {
    const { codec, pending, signal } = this.#options;
    const name = toHex(id);
    for (;;) {
      // Asked again: another lane may have taken it while this one waited for the answer.
      if ((await this.has(kind, id)) || this.#taken.has(name)) return 0;
      if (!pending.has(name)) break;
      await pending.settled(name, signal);
    }
    this.#taken.add(name);
    pending.add(name, this, () => this.#packs[kind].hurry());
    try {
      const encoded = await codec.encode(plain);
      const chunk = { id, plainBytes: plain.byteLength, codec: encoded === undefined ? 0 : codec.id };
      return await this.#packs[kind].append(chunk, encoded ?? copyOf(plain));
    } catch (error) {
      pending.settle(name, this);
      throw error;
    }
  }

  /**
   * Stores a chunk that was proved, as it was encoded before, whether it is known or not. Resolves to the bytes added, 0
   * when this writer has taken it already.
   */
  async storeAgain(
    kind: PackKind,
    { id, plainBytes, codec }: Pick<PackEntry, "id" | "plainBytes" | "codec">,
    encoded: Uint8Array,
  ): Promise<number> {
    const name = toHex(id);
    if (this.#taken.has(name)) return 0;
    this.#taken.add(name);
    return await this.#packs[kind].append({ id, plainBytes, codec }, encoded);
  }

  /** Everything stored so far is durable and listed in an index object when this resolves. */
  async finish(): Promise<void> {
    await this.#packs.data.finish();
    await this.#packs.pages.finish();
    await this.#index.finish();
  }

  /** For who gives up: waits until nothing is in flight, whatever became of it. */
  async idle(): Promise<void> {
    await Promise.all([this.#packs.data.idle(), this.#packs.pages.idle()]);
    this.#dropPending();
  }

  /** Others that wait for what this writer has taken must store it themselves. */
  #dropPending(): void {
    for (const name of this.#taken) this.#options.pending.settle(name, this);
  }

  /** A pack that may be relied on to hold the chunk. */
  #packOf(kind: PackKind, id: ChunkId): number | undefined {
    const { index, anew } = this.#options;
    if (anew.includes(kind)) {
      const entry = index.entryOf(id);
      if (entry === undefined || !this.#renewed.has(entry)) return undefined;
    }
    return index.reliablePackOf(id);
  }

  async #onPut(listing: PackListing): Promise<void> {
    const { index, anew, pending } = this.#options;
    this.#presence.add(index.add(listing));
    for (const { id } of listing.entries) {
      const name = toHex(id);
      this.#taken.delete(name);
      pending.settle(name, this);
      const entry = index.entryOf(id);
      if (anew.includes(listing.kind) && entry !== undefined) this.#renewed.add(entry);
    }
    await this.#index.add(listing);
  }
}
