import { type RecoveryPoint, IntegrityError, copyOf, inLanes } from "@ovault/contract";
import { PageView, entriesOnPage, PAGE_ENTRIES, pageCounts } from "../repository/block-map/block-map-page.ts";
import type { ChunkId } from "../format/digest.ts";
import { indexUnlistedPacks } from "../repository/index/load-index.ts";
import type { Repository } from "../repository/repository.ts";
import { BitSet } from "../util/bit-set.ts";
import { fromHex, toHex } from "../util/hex.ts";

export interface LivenessOptions {
  /** Points known to have lost data: what cannot be read of them is skipped. */
  readonly hasLosses: (point: RecoveryPoint) => boolean;
  readonly onPage?: () => void;
  /** Called for a skipped page: what the point needs below it is unknown. */
  readonly onLostPage?: (point: RecoveryPoint) => void;
  readonly signal: AbortSignal;
}

/** Needed chunks and pages, by their numbers in the index. */
export interface NeededChunks {
  has(entry: number): boolean;
}

/** The result of a walk: everything needed, and the pages that need not be walked again. */
export interface WalkMarks {
  readonly needed: { add(entry: number): void };
  readonly walked: BitSet;
}

/** A page that a walk reaches. Level 0 lists chunks of blocks, a higher level lists pages of the level below. */
interface PageVisit {
  readonly id: ChunkId;
  readonly level: number;
  /** Its number on its level. */
  readonly page: number;
  /** `pageCounts` of the disk. */
  readonly counts: readonly number[];
  readonly point: RecoveryPoint;
}

/** Pages in flight. */
const LANES = 8;

/**
 * Everything that points need, found by walking their block maps: one bit per chunk, and one more for pages, so that
 * pages shared by points are read once. Pages and blocks are kept apart, for a disk may contain the very bytes of a
 * page.
 */
export class Liveness implements NeededChunks {
  readonly #repository: Repository;
  readonly #needed: BitSet;
  readonly #walked: BitSet;

  constructor(repository: Repository, needed = new BitSet(), walked = new BitSet()) {
    this.#repository = repository;
    this.#needed = needed;
    this.#walked = walked;
  }

  copy(): Liveness {
    return new Liveness(this.#repository, this.#needed.copy(), this.#walked.copy());
  }

  /** `entry`: the number of a chunk or page in the index. */
  has(entry: number): boolean {
    return this.#needed.has(entry);
  }

  /**
   * Adds what these points need. The index must be at least as new as they are.
   * @throws IntegrityError when a page cannot be read, or a chunk is in no pack
   */
  async add(points: readonly RecoveryPoint[], options: LivenessOptions): Promise<void> {
    await markNeeds(this.#repository, points, { needed: this.#needed, walked: this.#walked }, options);
  }
}

/** Marks what these points need. @throws IntegrityError as `Liveness.add` */
export async function markNeeds(
  repository: Repository,
  points: readonly RecoveryPoint[],
  marks: WalkMarks,
  options: LivenessOptions,
): Promise<void> {
  const walk = new Walk(repository, marks, options);
  await inLanes(walk.leavesOf(points), LANES, (leaf, lane) => walk.visitLeaf(leaf, lane), options.signal);
}

class Walk {
  readonly #repository: Repository;
  readonly #needed: WalkMarks["needed"];
  readonly #walked: BitSet;
  readonly #options: LivenessOptions;
  #completion: Promise<unknown> | undefined;

  constructor(repository: Repository, { needed, walked }: WalkMarks, options: LivenessOptions) {
    this.#repository = repository;
    this.#needed = needed;
    this.#walked = walked;
    this.#options = options;
  }

  async *leavesOf(points: readonly RecoveryPoint[]): AsyncGenerator<PageVisit> {
    for (const point of points) {
      for (const { blockMap, stats } of point.disks) {
        if (blockMap === null) continue;
        const counts = pageCounts(Math.ceil(stats.logicalBytes / point.blockBytes));
        const root = { id: copyOf(fromHex(blockMap)), level: counts.length - 2, page: 0, counts, point };
        yield* this.#leavesBelow(root);
      }
    }
  }

  async visitLeaf(leaf: PageVisit, signal: AbortSignal): Promise<void> {
    for (const id of await this.#entriesOf(leaf, signal)) {
      const entry = id === null ? undefined : this.#repository.index.entryOf(id);
      if (entry !== undefined) this.#needed.add(entry);
      else if (id !== null) await this.#needUnlisted(id, leaf.point);
    }
  }

  async *#leavesBelow(visit: PageVisit): AsyncGenerator<PageVisit> {
    const { id: own, level, page, counts, point } = visit;
    const entry = this.#repository.index.entryOf(own) ?? (await this.#needUnlisted(own, point));
    if (entry === undefined) {
      this.#options.onLostPage?.(point);
      return;
    }
    this.#needed.add(entry);
    // A page skipped in one point must be visited again in another without known losses.
    if (!this.#options.hasLosses(point) && !this.#walked.add(entry)) return;
    if (level === 0) {
      yield visit;
      return;
    }
    for (const [at, id] of (await this.#entriesOf(visit, this.#options.signal)).entries()) {
      const below = { level: level - 1, page: page * PAGE_ENTRIES + at, counts, point };
      if (id !== null) yield* this.#leavesBelow({ ...below, id });
    }
  }

  async #entriesOf(visit: PageVisit, signal: AbortSignal): Promise<readonly (ChunkId | null)[]> {
    const { id, level, page, counts, point } = visit;
    try {
      const bytes = await this.#repository.chunks.load(id, signal);
      this.#options.onPage?.();
      return new PageView(bytes, level, entriesOnPage(counts[level] ?? 0, page)).entries();
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      if (!this.#options.hasLosses(point)) throw unknowable(point, error);
      this.#options.onLostPage?.(point);
      return [];
    }
  }

  /** For a chunk that the index does not know. `undefined` if the chunk is already recorded as lost. */
  async #needUnlisted(id: ChunkId, point: RecoveryPoint): Promise<number | undefined> {
    const { store, protection, index } = this.#repository;
    this.#completion ??= indexUnlistedPacks(store, protection, index, this.#options.signal);
    await this.#completion;
    const entry = index.entryOf(id);
    if (entry !== undefined) this.#needed.add(entry);
    else if (!this.#options.hasLosses(point)) throw unknowable(point, lostChunk(id));
    return entry;
  }
}

function lostChunk(id: ChunkId): IntegrityError {
  return new IntegrityError(`chunk ${toHex(id)} is in no pack of the repository`);
}

function unknowable(point: RecoveryPoint, cause: IntegrityError): IntegrityError {
  return new IntegrityError(`recovery point ${point.id} is damaged, so what it needs is unknown`, {
    cause,
    context: { point: point.id, vm: point.vm.name },
    hint: "Nothing was deleted. Run `ovault repair`: it writes down what is lost, and then `ovault prune` can go on.",
  });
}
