import { type Codec, type ObjectStore, copyOf } from "@ovault/contract";
import { BitSet } from "../../util/bit-set.ts";
import { toHex } from "../../util/hex.ts";
import type { ChunkIndex } from "../index/chunk-index.ts";
import type { ChunkId } from "../../format/digest.ts";
import type { PackListing } from "../packs/pack-listing.ts";
import { IndexWriter } from "../index/index-writer.ts";
import { newPackName } from "../../format/layout.ts";
import type { LoadedIndex } from "../index/loaded-index.ts";
import { COPIES, type PackKind } from "../packs/pack-format.ts";
import type { PendingChunks } from "./pending-chunks.ts";
import { PackPresence } from "../index/pack-presence.ts";
import type { PackEntry } from "../packs/pack-entries.ts";
import { PackWriter } from "../packs/pack-writer.ts";
import type { Protection } from "../../format/protection.ts";

export interface ChunkWriterOptions {
  readonly store: ObjectStore;
  readonly protection: Protection;
  readonly index: ChunkIndex;
  /** Learns which index objects were put. */
  readonly loaded: LoadedIndex;
  /** Shared by all writers of the process. */
  readonly pending: PendingChunks;
  readonly codec: Codec;
  readonly packBytes: number;
  /** Kinds whose chunks count as unknown and are stored again. For a run that met damage. */
  readonly anew: readonly PackKind[];
  /** The run that writes; the names of its packs contain it. */
  readonly runId: string;
  /** Called for every pack that is put: until when the store shall lock it. */
  readonly retainUntil: () => Date | undefined;
  readonly signal: AbortSignal;
}

const MAX_PUTS = 2;

/**
 * Stores chunks once, and pages in two packs: a chunk that the repository has, or that this or another writer of the
 * process has already taken, is not stored again, in whatever order lanes bring it.
 */
export class ChunkWriter {
  readonly #options: ChunkWriterOptions;
  /** One writer per copy that a kind of chunk has: no pack holds two copies. */
  readonly #packs: Readonly<Record<PackKind, readonly PackWriter[]>>;
  readonly #index: IndexWriter;
  readonly #presence: PackPresence;
  /** Number of copies of chunks in packs that are not yet put, by id in hex. */
  readonly #taken = new Map<string, number>();
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
    const packWriters = (kind: PackKind): PackWriter[] => Array.from({ length: COPIES[kind] }, () => packWriter(kind));
    this.#packs = { data: packWriters("data"), pages: packWriters("pages") };
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

  /** True when the chunk need not be stored: this run has seen its packs, or a writer has taken it. */
  async has(kind: PackKind, id: ChunkId): Promise<boolean> {
    return (await this.#copiesOf(kind, id)) === COPIES[kind] || this.#taken.has(toHex(id));
  }

  /**
   * Stores `plain` under `id` unless the repository has it. Resolves to the bytes added to the repository, 0 when it
   * was known. `plain` belongs to the caller again when this resolves. Durable only after `finish`.
   */
  async store(kind: PackKind, id: ChunkId, plain: Uint8Array): Promise<number> {
    const { codec, pending, signal } = this.#options;
    const name = toHex(id);
    let copies: number;
    for (;;) {
      copies = COPIES[kind] - (await this.#copiesOf(kind, id));
      // Checked again: another lane may have taken it in the meantime.
      if (copies === 0 || this.#taken.has(name)) return 0;
      if (!pending.has(name)) break;
      await pending.settled(name, signal);
    }
    this.#taken.set(name, copies);
    pending.add(name, this, () => this.#flushSoon(kind));
    try {
      const encoded = await codec.encode(plain);
      const chunk = { id, plainBytes: plain.byteLength, codec: encoded === undefined ? 0 : codec.id };
      const first = encoded ?? copyOf(plain);
      const bytes = this.#packs[kind]
        .slice(0, copies)
        .map((packs, copy) => ({ packs, bytes: copy === 0 ? first : copyOf(first) }));
      const stored = await Promise.all(bytes.map((copy) => copy.packs.append(chunk, copy.bytes)));
      return stored.reduce((sum, storedBytes) => sum + storedBytes, 0);
    } catch (error) {
      pending.settle(name, this);
      throw error;
    }
  }

  /**
   * Stores a copy of a proved chunk, still encoded, whether it is known or not. Resolves to the bytes added, 0 when
   * this writer has already taken as many copies as the kind has.
   */
  async storeAgain(
    kind: PackKind,
    { id, plainBytes, codec }: Pick<PackEntry, "id" | "plainBytes" | "codec">,
    encoded: Uint8Array,
  ): Promise<number> {
    const name = toHex(id);
    const taken = this.#taken.get(name) ?? 0;
    const packs = this.#packs[kind][taken];
    if (packs === undefined) return 0;
    this.#taken.set(name, taken + 1);
    return await packs.append({ id, plainBytes, codec }, encoded);
  }

  /** When this resolves, everything stored so far is durable and listed in an index object. */
  async finish(): Promise<void> {
    for (const kind of [this.#packs.data, this.#packs.pages]) await Promise.all(kind.map((packs) => packs.finish()));
    await this.#index.finish();
  }

  /** Waits until no put is in flight; ignores failures. For aborted runs. */
  async idle(): Promise<void> {
    await Promise.all([...this.#packs.data, ...this.#packs.pages].map((packs) => packs.idle()));
    this.#dropPending();
  }

  #flushSoon(kind: PackKind): void {
    for (const packs of this.#packs[kind]) packs.flushSoon();
  }

  /** Releases what this writer has taken: waiting writers must store it themselves. */
  #dropPending(): void {
    for (const name of this.#taken.keys()) this.#options.pending.settle(name, this);
  }

  /** In how many packs that this run has seen the chunk lies, up to the copies of its kind. */
  async #copiesOf(kind: PackKind, id: ChunkId): Promise<number> {
    for (;;) {
      const packs = this.#packsOf(kind, id);
      const unseen = packs.find((pack) => !this.#presence.has(pack));
      if (unseen === undefined) return packs.length;
      await this.#presence.ask(unseen);
    }
  }

  /** Packs that may be relied on to hold the chunk, up to the copies of its kind. */
  #packsOf(kind: PackKind, id: ChunkId): readonly number[] {
    const { index, anew } = this.#options;
    if (anew.includes(kind)) {
      const entry = index.entryOf(id);
      if (entry === undefined || !this.#renewed.has(entry)) return [];
    }
    return index.reliablePacksOf(id, COPIES[kind]);
  }

  async #onPut(listing: PackListing): Promise<void> {
    const { index, anew } = this.#options;
    this.#presence.add(index.add(listing));
    for (const { id } of listing.entries) {
      this.#settle(toHex(id));
      const entry = index.entryOf(id);
      if (anew.includes(listing.kind) && entry !== undefined) this.#renewed.add(entry);
    }
    await this.#index.add(listing);
  }

  /** A copy is in a pack that was put. */
  #settle(name: string): void {
    const left = (this.#taken.get(name) ?? 1) - 1;
    if (left > 0) this.#taken.set(name, left);
    if (left > 0) return;
    this.#taken.delete(name);
    this.#options.pending.settle(name, this);
  }
}
