import { randomUUID } from "node:crypto";

import { CodecTable } from "../blocks/codecs/codec-table.ts";
import { lz4 } from "../blocks/codecs/lz4.ts";
import { ProvedCodec } from "../blocks/codecs/proved-codec.ts";
import type { ManagerNames } from "../points/manager-names.ts";
import {
  type Codec,
  type ObjectKey,
  type ObjectStore,
  type DiskRecord,
  type DiskTarget,
  type MachineIdentity,
  type RecoveryPoint,
  type VirtualMachine,
  IntegrityError,
  UsageError,
  copyOf,
} from "@ovault/contract";
import type { DigestName } from "../blocks/digests/chunk-digest.ts";
import { createEncrypted, type NewEncryption } from "../encryption/create-encrypted.ts";
import type { KeyRing } from "../encryption/key-ring.ts";
import { openProtection, type OpenedProtection, type RepositoryAccess } from "../encryption/open-protection.ts";
import { fromHex, toHex } from "../util/hex.ts";
import { BlockMapReader } from "./block-map/block-map-reader.ts";
import { ChunkIndex } from "./index/chunk-index.ts";
import { ChunkReader } from "./chunks/chunk-reader.ts";
import type { RestoreTotals } from "../pipeline/restore-in-lanes.ts";
import type { DiskLosses } from "../points/lost-ranges.ts";
import type { FoundBase, PointStore, RestoreDiskOptions } from "../points/point-store.ts";
import { holdPoint, type HoldPointOptions, type PointHold } from "../points/point-hold.ts";
import type { BeginPointOptions, PointWriter } from "../points/point-writer.ts";
import type { BlockMaps, MapOptions } from "./reading/block-maps.ts";
import { restoreDisk } from "./reading/restore-disk.ts";
import { LEAVES_KEPT, openPointDisk, type OpenPointDiskOptions } from "./reading/open-point-disk.ts";
import type { PointDisk } from "./reading/point-disk.ts";
import { ChunkWriter } from "./chunks/chunk-writer.ts";
import type { ChunkId } from "../format/digest.ts";
import { condemnedPacks, readCondemned, type CondemnedListing } from "./packs/condemned-packs.ts";
import { dropAbsentPacks } from "./index/drop-absent-packs.ts";
import { type BadPlaces, markDamage, readDamage, type KnownDamage } from "./damage/damage-records.ts";
import type { IndexCache } from "./index/index-cache.ts";
import type { KnownIndex } from "./index/index-cache-format.ts";
import { indexUnlistedPacks, loadIndex } from "./index/load-index.ts";
import { LoadedIndex } from "./index/loaded-index.ts";
import type { DamagedObject } from "../format/damaged-object.ts";
import type { PackKind } from "./packs/pack-format.ts";
import { PendingChunks } from "./chunks/pending-chunks.ts";
import type { Lease } from "../leases/lease.ts";
import type { Protection } from "../format/protection.ts";
import { RecoveryPoints } from "../points/recovery-points.ts";
import { RepositoryPointWriter } from "./writing/repository-point-writer.ts";
import { Reserve } from "../format/reserve.ts";
import { DAY_MS, retaining, retentionEnd } from "../format/retaining.ts";
import { findLosses } from "./reading/find-losses.ts";
import { SoundPages } from "./chunks/sound-pages.ts";
import { sparePoint } from "./spare-point.ts";
import { Once } from "../concurrency/once.ts";
import { withUnreadableAsDamage } from "./damage/unreadable-objects.ts";
import {
  DEFAULT_BLOCK_BYTES,
  LARGEST_BLOCK_BYTES,
  putSettings,
  readSettings,
  type RepositorySettings,
  SMALLEST_BLOCK_BYTES,
} from "../format/settings.ts";

export const DEFAULT_PACK_BYTES = 16 * 1024 * 1024;

/** Large enough to exercise any codec. */
const SAMPLE = Buffer.alloc(4096, "a sample ");

/** A larger count is not a disk, but a manifest made to fill the reader's memory. */
const MAX_BLOCKS = 2 ** 32;

export interface CreateOptions {
  /** A power of two from 256 KiB to 4 MiB. */
  readonly blockBytes?: number;
  /** Names the chunks. Defaults to BLAKE3. */
  readonly digest?: DigestName;
  /** Fixed for the life of the repository. */
  readonly encryption?: NewEncryption | undefined;
  /** How long the store shall lock settings and key; for stores with `retention`. */
  readonly lockDays?: number | undefined;
  readonly signal: AbortSignal;
}

export interface OpenOptions extends RepositoryAccess {
  /** For new chunks. Old ones are decoded with the codec that encoded them. */
  readonly codec?: Codec;
  /** Codecs beyond the built-in ones. */
  readonly codecs?: readonly Codec[];
  /** Size at which a pack is put, in bytes. */
  readonly packBytes?: number;
  /** Former names of managers, to match points with machines. */
  readonly managers?: ManagerNames;
  /** This machine's cache of index objects, so that only new ones are read. */
  readonly indexCache?: IndexCache;
}

/**
 * Deduplicated recovery points on an object store. docs/repository-format.md specifies every byte. Opening reads the
 * whole chunk index; nothing is ever changed in place.
 */
export class Repository implements PointStore, BlockMaps {
  readonly kind = "repository";
  /** Reads and writes everything but packs, keys and settings in the clear, whatever the protection. */
  readonly store: ObjectStore;
  /** For `forget` and `prune` when the store is full. */
  readonly reserve: Reserve;
  readonly settings: RepositorySettings;
  readonly protection: Protection;
  /** Present in an encrypted repository. */
  readonly keys: KeyRing | undefined;
  readonly points: RecoveryPoints;
  readonly chunks: ChunkReader;
  readonly index: ChunkIndex;
  /** Pages that this process found sound. */
  readonly soundPages: SoundPages;
  readonly #badReads = new Map<string, Set<string>>();
  readonly #loaded: LoadedIndex;
  readonly #indexCache: IndexCache | undefined;
  readonly #damagedKeys: readonly DamagedObject[];
  /** Damaged packs, found while reading the directories of packs that no index object lists. */
  readonly #damagedPacks: DamagedObject[] = [];
  /** Missing packs that were already checked. */
  readonly #missed = new Set<string>();
  readonly #completion = new Once((signal) => this.#askUnlistedPacks(signal));
  readonly #presence = new Once((signal) => dropAbsentPacks(this.store, this.index, signal));
  #condemned: CondemnedListing = { documents: [], damaged: [] };
  /** One refresh at a time: an older listing must not undo what a later one found. */
  #lastRefresh: Promise<void> = Promise.resolve();
  #damage: KnownDamage = { records: [], damaged: [], places: new Map() };
  readonly #pending = new PendingChunks();
  readonly #codec: Codec;
  readonly #packBytes: number;
  readonly #lockDays: number | undefined;

  private constructor(
    store: ObjectStore,
    settings: RepositorySettings,
    { protection, keys, damaged }: OpenedProtection,
    known: KnownIndex | undefined,
    options: OpenOptions,
  ) {
    this.reserve = new Reserve(protection.documents(store));
    this.store = this.reserve.guarded();
    this.settings = settings;
    this.protection = protection;
    this.keys = keys;
    this.#damagedKeys = damaged;
    this.index = known?.index ?? new ChunkIndex();
    this.soundPages = new SoundPages(this.index);
    this.#loaded = known?.loaded ?? new LoadedIndex();
    this.#indexCache = options.indexCache;
    this.#codec = new ProvedCodec(options.codec ?? lz4);
    this.#packBytes = options.packBytes ?? DEFAULT_PACK_BYTES;
    this.#lockDays = options.lockDays;
    this.points = new RecoveryPoints(this, this.retainUntil, options.managers);
    this.chunks = new ChunkReader({
      store: this.store,
      index: this.index,
      codecs: new CodecTable(options.codecs),
      protection,
      onBadPlace: (id, pack) => this.#noteBadPlace(id, pack),
      catchUp: (missing, signal) => this.#catchUp(missing, signal),
    });
  }

  /** Makes a repository in an empty store. @throws UsageError when it already holds one */
  static async create(store: ObjectStore, options: CreateOptions): Promise<Repository> {
    const blockBytes = options.blockBytes ?? DEFAULT_BLOCK_BYTES;
    const allowed = blockBytes >= SMALLEST_BLOCK_BYTES && blockBytes <= LARGEST_BLOCK_BYTES;
    if (!allowed || !Number.isInteger(Math.log2(blockBytes))) {
      throw new UsageError(`a block of ${blockBytes} bytes is not possible`, {
        hint: "Choose a power of two from 256 KiB to 4 MiB.",
      });
    }
    const { digest = "blake3" } = options;
    const settings = { id: randomUUID(), blockBytes, createdAt: new Date().toISOString(), digest };
    const { encryption, lockDays, signal } = options;
    const putOptions = { signal, ...retaining(retentionEnd(lockDays)) };
    const created =
      encryption === undefined
        ? await putSettings(store, settings, putOptions)
        : await createEncrypted(store, settings, encryption, putOptions);
    if (!created) throw new UsageError("the destination holds a repository already", { hint: "Use it as it is." });
    return Repository.open(store, { secret: encryption?.secret, lockDays, signal });
  }

  /**
   * @throws NotARepositoryError, RepositoryVersionError, EncryptionKeyError or IntegrityError before anything is changed.
   */
  static async open(place: ObjectStore, options: OpenOptions): Promise<Repository> {
    const { signal } = options;
    const store = withUnreadableAsDamage(place);
    const settings = await readSettings(store, options);
    const protection = await openProtection(store, settings, options);
    const known = await options.indexCache?.load(settings.id, signal);
    const repository = new Repository(store, settings, protection, known, options);
    await repository.refresh(signal);
    await repository.#keepIndex();
    if (repository.#loaded.damaged.size > 0) await repository.completeIndex(signal);
    return repository;
  }

  /** Keys, index objects, packs, lists and records found damaged, as of the last refresh. */
  get damaged(): readonly DamagedObject[] {
    const documents = [...this.#damage.damaged, ...this.#condemned.damaged];
    return [...this.#damagedKeys, ...this.#loaded.damaged.values(), ...this.#damagedPacks, ...documents];
  }

  /** Places that did not hold their chunk when this process read them. */
  get badReads(): BadPlaces {
    return this.#badReads;
  }

  /** The packs that each index object lists, by number in the index, as of the last refresh. */
  get listings(): ReadonlyMap<ObjectKey, Uint32Array> {
    return this.#loaded.objects;
  }

  /** Whether any index object lists this pack. */
  isListed(pack: number): boolean {
    return this.#loaded.lists(pack);
  }

  get blockBytes(): number {
    return this.settings.blockBytes;
  }

  /** How long the store shall lock new objects, in milliseconds; undefined for no lock. */
  get lockMs(): number | undefined {
    return this.#lockDays === undefined ? undefined : this.#lockDays * DAY_MS;
  }

  /** Until when the store shall lock an object that is put now; undefined for no lock. */
  readonly retainUntil = (): Date | undefined => retentionEnd(this.#lockDays);

  /** Brings the index and the lists of this process up to date with the store. */
  async refresh(signal: AbortSignal): Promise<void> {
    const refresh = this.#lastRefresh.then(() => this.#refresh(signal));
    this.#lastRefresh = refresh.catch(() => undefined);
    await refresh;
  }

  /**
   * Call it with the lease held, before writing or building on points. Refreshes and acknowledges the condemned
   * documents that this run heeds from now on. A concurrent prune either decided before this, and the refresh shows it,
   * or sees the lease and waits.
   */
  async announce(lease: Lease, signal: AbortSignal): Promise<void> {
    await this.refresh(signal);
    const names = this.#condemned.documents.map(({ name }) => name);
    await lease.acknowledge(names, signal);
  }

  /** What prune is about to delete, as of the last refresh. */
  get condemned(): CondemnedListing {
    return this.#condemned;
  }

  /** Whether prune is about to delete this forgotten point. */
  isCondemned(point: RecoveryPoint): boolean {
    const key = this.points.keyOf(point);
    return this.#condemned.documents.some((document) => (document.verdict ?? document).points.includes(key));
  }

  /**
   * Encodes a few bytes, so that a codec that cannot work here fails before any call to a manager.
   * @throws MissingLibraryError, CodecError, or any error of a plugin's codec
   */
  async tryCodec(): Promise<void> {
    await this.#codec.encode(SAMPLE);
  }

  /**
   * A writer for one run. `anew`: kinds of chunks that are stored again although they are known. `runId`: the run's id
   * as in its lease; prune spares the packs of running runs.
   */
  writer(signal: AbortSignal, anew: readonly PackKind[] = [], runId: string = randomUUID()): ChunkWriter {
    const { store, index, protection, retainUntil } = this;
    const shared = { store, index, protection, retainUntil, codec: this.#codec, packBytes: this.#packBytes };
    return new ChunkWriter({ ...shared, loaded: this.#loaded, pending: this.#pending, anew, runId, signal });
  }

  /** The block map of a disk of a point. */
  async openMap(
    point: RecoveryPoint,
    record: DiskRecord,
    signal: AbortSignal,
    { loadPage = (id, pageSignal) => this.chunks.load(id, pageSignal), ...options }: MapOptions = {},
  ): Promise<BlockMapReader> {
    const root = record.blockMap === null ? null : copyOf(fromHex(record.blockMap));
    const blockCount = Math.ceil(record.stats.logicalBytes / point.blockBytes);
    if (point.blockBytes !== this.settings.blockBytes || blockCount > MAX_BLOCKS) {
      throw new IntegrityError(`recovery point ${point.id} has a disk that cannot be: ${record.disk.alias}`, {
        context: { point: point.id, blockBytes: point.blockBytes, logicalBytes: record.stats.logicalBytes },
      });
    }
    return await BlockMapReader.open({ ...options, root, blockCount, loadPage, signal });
  }

  async identify(): Promise<string> {
    return this.settings.id;
  }

  /** A listing may still show a forgotten point that prune is about to delete. */
  async findBase(machine: MachineIdentity, signal: AbortSignal): Promise<FoundBase> {
    const { points, ...found } = await this.points.listOf(machine, signal);
    return { ...found, base: points.findLast((point) => !this.isCondemned(point)) };
  }

  /** Checks all its pages, whether or not damage is on record, and which packs the store has. */
  async lossesOfBase(base: RecoveryPoint, signal: AbortSignal): Promise<readonly DiskLosses[]> {
    await this.dropAbsentPacks(signal);
    return await findLosses(this, base, { sound: this.soundPages, signal });
  }

  async beginPoint(vm: VirtualMachine, options: BeginPointOptions): Promise<PointWriter> {
    return await RepositoryPointWriter.begin(this, vm, options);
  }

  async hold(point: RecoveryPoint, options: HoldPointOptions): Promise<PointHold> {
    const spare = (held: RecoveryPoint, signal: AbortSignal): Promise<void> => sparePoint(this, held, signal);
    return await holdPoint({ store: this.store, keyOf: (held) => this.points.keyOf(held), spare }, point, options);
  }

  /** A point that is forgotten meanwhile stays readable while it is held, and for the grace time of prune. */
  async openDisk(point: RecoveryPoint, record: DiskRecord, options: OpenPointDiskOptions): Promise<PointDisk> {
    const map = await this.openMap(point, record, options.signal, { tolerant: true, leavesKept: LEAVES_KEPT });
    const { blockBytes } = this.settings;
    return openPointDisk({ map, logicalBytes: record.stats.logicalBytes, chunks: this.chunks, blockBytes }, options);
  }

  /** Walks the block map in order: faster than reading the opened disk from its start to its end. */
  async restoreDisk(
    point: RecoveryPoint,
    record: DiskRecord,
    target: DiskTarget,
    options: RestoreDiskOptions,
  ): Promise<RestoreTotals> {
    const map = await this.openMap(point, record, options.signal, { tolerant: options.onLost !== undefined });
    const { blockBytes } = this.settings;
    const { logicalBytes } = record.stats;
    return await restoreDisk({ ...options, map, logicalBytes, blockBytes, chunks: this.chunks, target });
  }

  /** Call it when the repository is no longer in use. */
  async close(): Promise<void> {
    await this.#keepIndex();
    await this.store.close();
  }

  async #keepIndex(): Promise<void> {
    await this.#indexCache?.keep(this.settings.id, { index: this.index, loaded: this.#loaded });
  }

  #noteBadPlace(id: ChunkId, pack: string): void {
    this.index.markBad(id, pack);
    const chunks = this.#badReads.get(pack) ?? new Set();
    this.#badReads.set(pack, chunks.add(toHex(id)));
  }

  /** Checks every missing pack once, so that a repository with many lost chunks is not listed for each. */
  async #catchUp(missingPacks: readonly string[], signal: AbortSignal): Promise<void> {
    if (missingPacks.some((name) => !this.#missed.has(name))) {
      for (const name of missingPacks) this.#missed.add(name);
      await this.refresh(signal);
    }
    await this.completeIndex(signal);
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const before = condemnedPacks(this.#condemned);
    this.#condemned = await readCondemned(this.store, signal);
    const now = condemnedPacks(this.#condemned);
    // A pack no longer condemned may be deleted: then it leaves the index with the objects that listed it.
    this.index.condemn(new Set([...before, ...now]));
    await loadIndex(this.store, this.index, this.#loaded, signal);
    // An unreadable document may name any pack.
    this.index.condemn(this.#condemned.damaged.length > 0 ? this.#packNames() : now);
    await this.#heedDamage(signal);
  }

  #packNames(): ReadonlySet<string> {
    return new Set(Array.from(this.index.packs, ({ name }) => name));
  }

  async #heedDamage(signal: AbortSignal): Promise<void> {
    this.#damage = await readDamage(this.store, signal);
    markDamage(this.index, this.#damage.places);
  }

  /** Adds the content of packs that no index object lists. Once. */
  async completeIndex(signal: AbortSignal): Promise<void> {
    await this.#completion.run(signal);
  }

  /** Drops packs from the index that the store does not have. Once. */
  async dropAbsentPacks(signal: AbortSignal): Promise<void> {
    await this.#presence.run(signal);
  }

  async #askUnlistedPacks(signal: AbortSignal): Promise<void> {
    this.#damagedPacks.push(...(await indexUnlistedPacks(this.store, this.protection, this.index, signal)));
    await this.#heedDamage(signal);
  }
}
