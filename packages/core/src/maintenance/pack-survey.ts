import { type ObjectInfo, ObjectNotFoundError, IntegrityError } from "@ovault/contract";
import type { ChunkIndex } from "../repository/index/chunk-index.ts";
import { decidedPacks } from "../repository/packs/condemned-packs.ts";
import { packKey, packNameIn, PACKS } from "../format/layout.ts";
import { readPackListing } from "../repository/packs/read-pack-listing.ts";
import type { Repository } from "../repository/repository.ts";
import { BitSet } from "../util/bit-set.ts";
import { grown } from "../util/grown.ts";

/**
 * The packs in the store, compared with the index. Afterwards the index knows exactly the existing packs with an intact
 * directory. Packs are named by their numbers in the index.
 */
export class PackSurvey {
  /** Packs that existed before `between`. */
  readonly early = new BitSet();
  /** Packs that no index object lists. */
  readonly unlisted = new BitSet();
  /** Names of packs that index objects list and the store does not have. */
  readonly missing = new Set<string>();
  /** Sizes of packs that no index object lists and whose directory is damaged, by name. */
  readonly unreadable = new Map<string, number>();
  /** Sizes of packs marked for deletion, by name. */
  readonly #marked = new Map<string, number>();
  #bytes = new Uint32Array(1);

  /** Size of the object, in bytes; 0 when it was missing. */
  bytesOf(pack: number): number {
    return this.#bytes[pack] ?? 0;
  }

  /** The same for a pack that may be missing from the index. */
  bytesOfNamed(name: string, { packs }: ChunkIndex): number {
    const pack = packs.numberOf(name);
    return pack === undefined ? (this.unreadable.get(name) ?? this.#marked.get(name) ?? 0) : this.bytesOf(pack);
  }

  /** Keeps the size of a pack that leaves the index before it leaves the store. */
  markForDeletion(name: string, bytes: number): void {
    this.unreadable.delete(name);
    this.#marked.set(name, bytes);
  }

  /** Forgets a pack that was marked for deletion and is gone. */
  forget(name: string): void {
    this.#marked.delete(name);
  }

  /**
   * `between` is called after packs were listed and before the index is: only the runs that it sees may be about to
   * list packs that no index object lists yet.
   */
  static async take(
    repository: Repository,
    { between, signal }: { readonly between: () => Promise<void>; readonly signal: AbortSignal },
  ): Promise<PackSurvey> {
    const survey = new PackSurvey();
    // What is listed by now was put before, so the following listing of packs must show it.
    await repository.refresh(signal);
    const listed = repository.index.packs.length;
    const unknown = await survey.#listPacks(repository, signal);
    await survey.#dropMissing(repository, listed, signal);
    await between();
    await repository.refresh(signal);
    const decided = decidedPacks(repository.condemned);
    for (const info of unknown) {
      const name = packNameIn(info.key) ?? "";
      if (decided.has(name)) survey.markForDeletion(name, info.bytes);
      else await survey.#addUnknown(repository, info, signal);
    }
    for (let pack = 0; pack < repository.index.packs.length; pack += 1) {
      if (survey.bytesOf(pack) === 0) continue;
      survey.early.add(pack);
      if (!repository.isListed(pack)) survey.unlisted.add(pack);
    }
    return survey;
  }

  /** All existing packs: names, and sizes in bytes. */
  *packs({ packs }: ChunkIndex): Generator<{ readonly name: string; readonly bytes: number }> {
    for (let pack = 0; pack < packs.length; pack += 1) {
      if (!packs.isGone(pack) && this.bytesOf(pack) > 0) yield { name: packs.nameOf(pack), bytes: this.bytesOf(pack) };
    }
    for (const [name, bytes] of [...this.unreadable, ...this.#marked]) yield { name, bytes };
  }

  /** Checks packs that the index has learned of since. */
  async update(repository: Repository, signal: AbortSignal): Promise<void> {
    for (let pack = 0; pack < repository.index.packs.length; pack += 1) await this.#find(repository, pack, signal);
  }

  /** Answers the packs that the index does not know. */
  async #listPacks({ store, index }: Repository, signal: AbortSignal): Promise<readonly ObjectInfo[]> {
    const unknown: ObjectInfo[] = [];
    for await (const info of store.list(PACKS, { signal })) {
      const name = packNameIn(info.key);
      const pack = name === undefined ? undefined : index.packs.numberOf(name);
      if (pack !== undefined) this.#note(pack, info.bytes);
      else if (name !== undefined) unknown.push(info);
    }
    return unknown;
  }

  /** Drops packs that an index object lists though they are gone; asks the store first, for listings may lag. */
  async #dropMissing(repository: Repository, listed: number, signal: AbortSignal): Promise<void> {
    const { packs } = repository.index;
    for (let pack = 0; pack < listed; pack += 1) {
      if (packs.isGone(pack) || (await this.#find(repository, pack, signal))) continue;
      this.missing.add(packs.nameOf(pack));
      packs.drop(pack);
    }
  }

  /** Asks the store for a pack not known to exist. False when it is missing, or was dropped. */
  async #find({ store, index }: Repository, pack: number, signal: AbortSignal): Promise<boolean> {
    if (index.packs.isGone(pack)) return false;
    if (this.bytesOf(pack) > 0) return true;
    try {
      this.#note(pack, (await store.stat(packKey(index.packs.nameOf(pack)), { signal })).bytes);
      return true;
    } catch (error) {
      // An unreadable pack exists. Its size is unknown, so it stays.
      if (error instanceof IntegrityError) return true;
      if (!(error instanceof ObjectNotFoundError)) throw error;
      return false;
    }
  }

  async #addUnknown(repository: Repository, info: ObjectInfo, signal: AbortSignal): Promise<void> {
    const { store, protection, index } = repository;
    const name = packNameIn(info.key) ?? "";
    try {
      const known = index.packs.numberOf(name);
      this.#note(known ?? index.add(await readPackListing(store, protection, info, signal)), info.bytes);
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return; // deleted meanwhile
      if (!(error instanceof IntegrityError)) throw error;
      this.unreadable.set(name, info.bytes);
    }
  }

  #note(pack: number, bytes: number): void {
    this.#bytes = grown(this.#bytes, pack + 1);
    this.#bytes[pack] = bytes;
  }
}
