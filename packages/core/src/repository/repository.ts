import { randomUUID } from "node:crypto";
import { z } from "zod";

import { CodecTable } from "../codecs/codec-table.ts";
import { lz4 } from "../codecs/lz4.ts";
import type { Codec } from "../contract/codec.ts";
import type { ObjectStore } from "../contract/object-store.ts";
import type { DiskRecord, RecoveryPoint } from "../contract/recovery-point.ts";
import { IntegrityError, NotARepositoryError, UsageError } from "../errors/errors.ts";
import { hasCode } from "../errors/ovault-error.ts";
import { fromHex } from "../util/hex.ts";
import { BlockMapReader } from "./block-map-reader.ts";
import { ChunkIndex } from "./chunk-index.ts";
import { ChunkReader } from "./chunk-reader.ts";
import { ChunkWriter } from "./chunk-writer.ts";
import { decodeDocument, encodeDocument } from "./document.ts";
import { copyOf } from "../util/copy-of.ts";
import { REPOSITORY_KEY } from "./layout.ts";
import { indexUnlistedPacks, loadIndex, type DamagedObject, type LoadedIndex } from "./load-index.ts";
import type { PackKind } from "./pack-format.ts";
import { RecoveryPoints } from "./recovery-points.ts";

const TYPE = "repository";
const VERSION = 1;
const MIB = 1024 * 1024;

export const DEFAULT_BLOCK_BYTES = MIB;
export const SMALLEST_BLOCK_BYTES = MIB / 4;
export const LARGEST_BLOCK_BYTES = 4 * MIB;
export const DEFAULT_PACK_BYTES = 16 * MIB;

const settingsSchema = z.object({
  id: z.uuid(),
  blockBytes: z.number().int().min(512).max(LARGEST_BLOCK_BYTES),
  createdAt: z.iso.datetime(),
});

/** What is fixed for the whole life of a repository. `blockBytes` in bytes. */
export type RepositorySettings = z.infer<typeof settingsSchema>;

export interface CreateOptions {
  /** A power of two from 256 KiB to 4 MiB. */
  readonly blockBytes?: number;
  readonly signal: AbortSignal;
}

export interface OpenOptions {
  /** For new chunks. Old ones are read by whatever they were written with. */
  readonly codec?: Codec;
  /** Codecs beyond the built-in ones. */
  readonly codecs?: readonly Codec[];
  /** Size at which a pack is put, in bytes. */
  readonly packBytes?: number;
  readonly signal: AbortSignal;
}

/**
 * Deduplicated recovery points on an object store. docs/repository-format.md specifies every byte. Opening reads the
 * whole chunk index; nothing is ever changed in place.
 */
export class Repository {
  readonly store: ObjectStore;
  readonly settings: RepositorySettings;
  readonly points: RecoveryPoints;
  readonly chunks: ChunkReader;
  readonly index: ChunkIndex;
  readonly #damaged: DamagedObject[];
  readonly #listed: ReadonlySet<string>;
  #completion: Promise<void> | undefined;
  readonly #codec: Codec;
  readonly #packBytes: number;

  private constructor(
    store: ObjectStore,
    settings: RepositorySettings,
    index: ChunkIndex,
    { damaged, listed }: LoadedIndex,
    options: OpenOptions,
  ) {
    this.store = store;
    this.settings = settings;
    this.index = index;
    this.#damaged = [...damaged];
    this.#listed = listed;
    this.points = new RecoveryPoints(store);
    const codecs = new CodecTable(options.codecs);
    this.chunks = new ChunkReader(store, index, codecs, (signal) => this.#completeIndex(signal));
    this.#codec = options.codec ?? lz4;
    this.#packBytes = options.packBytes ?? DEFAULT_PACK_BYTES;
  }

  /** Makes a repository in an empty store. Throws UsageError when one is there already. */
  static async create(store: ObjectStore, options: CreateOptions): Promise<Repository> {
    const blockBytes = options.blockBytes ?? DEFAULT_BLOCK_BYTES;
    const allowed = blockBytes >= SMALLEST_BLOCK_BYTES && blockBytes <= LARGEST_BLOCK_BYTES;
    if (!allowed || !Number.isInteger(Math.log2(blockBytes))) {
      throw new UsageError(`a block of ${blockBytes} bytes is not possible`, {
        hint: "Choose a power of two from 256 KiB to 4 MiB.",
      });
    }
    const settings = { id: randomUUID(), blockBytes, createdAt: new Date().toISOString() };
    const { signal } = options;
    const document = encodeDocument(TYPE, VERSION, settings);
    if ((await store.put(REPOSITORY_KEY, [document], { ifAbsent: true, signal })) === "exists") {
      throw new UsageError("the destination holds a repository already", { hint: "Use it as it is." });
    }
    return Repository.open(store, { signal });
  }

  /** Throws NotARepositoryError, RepositoryVersionError or IntegrityError before anything is changed. */
  static async open(store: ObjectStore, options: OpenOptions): Promise<Repository> {
    const settings = await readSettings(store, options.signal);
    const index = new ChunkIndex();
    const repository = new Repository(store, settings, index, await loadIndex(store, index, options.signal), options);
    if (repository.damaged.length > 0) await repository.#completeIndex(options.signal);
    return repository;
  }

  /** Index objects and packs that did not prove themselves while the index was loaded. */
  get damaged(): readonly DamagedObject[] {
    return this.#damaged;
  }

  /** A writer for one run. `anew`: kinds of chunks that are stored again although they are known. */
  writer(signal: AbortSignal, anew: readonly PackKind[] = []): ChunkWriter {
    const { store, index } = this;
    return new ChunkWriter({ store, index, codec: this.#codec, packBytes: this.#packBytes, anew, signal });
  }

  /** The block map of a disk of a point. */
  openMap(point: RecoveryPoint, record: DiskRecord, signal: AbortSignal): Promise<BlockMapReader> {
    const root = record.blockMap === null ? null : copyOf(fromHex(record.blockMap));
    const blockCount = Math.ceil(record.stats.logicalBytes / point.blockBytes);
    return BlockMapReader.open(root, blockCount, (id, pageSignal) => this.chunks.load(id, pageSignal), signal);
  }

  async close(): Promise<void> {
    await this.store.close();
  }

  /** Once, unless it fails. */
  async #completeIndex(signal: AbortSignal): Promise<void> {
    this.#completion ??= indexUnlistedPacks(this.store, this.index, this.#listed, signal).then((damaged) => {
      this.#damaged.push(...damaged);
    });
    try {
      await this.#completion;
    } catch (error) {
      this.#completion = undefined;
      throw error;
    }
  }
}

async function readSettings(store: ObjectStore, signal: AbortSignal): Promise<RepositorySettings> {
  let document: Uint8Array;
  try {
    document = await store.get(REPOSITORY_KEY, { signal });
  } catch (error) {
    if (!hasCode(error, "E_OBJECT_NOT_FOUND")) throw error;
    throw new NotARepositoryError("the destination holds no ovault repository", {
      cause: error,
      hint: "Check the destination in ovault.yaml, or create a repository there with `ovault init`.",
    });
  }
  const settings = settingsSchema.safeParse(decodeDocument(TYPE, VERSION, document, REPOSITORY_KEY));
  if (settings.success) return settings.data;
  throw new IntegrityError(`${REPOSITORY_KEY} has impossible settings: ${z.prettifyError(settings.error)}`);
}
