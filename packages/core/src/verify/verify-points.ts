import { type DiskRecord, inLanes, messageOf, type RecoveryPoint } from "@ovault/contract";
import { type DiskLosses, LostRanges } from "../points/lost-ranges.ts";
import { leavesOf } from "../repository/block-map/block-map-leaves.ts";
import type { BlockMapReader, LoadPage } from "../repository/block-map/block-map-reader.ts";
import { ChunkSet } from "../repository/chunks/chunk-set.ts";
import type { ChunkId } from "../format/digest.ts";
import type { Repository } from "../repository/repository.ts";
import type { SinglePages } from "../repository/single-pages.ts";
import { failureOf } from "./damage.ts";
import { DamagedPoints } from "./damaged-points.ts";
import { PackFindings } from "./pack-findings.ts";
import { ProvedChunks } from "./proved-chunks.ts";
import { recordDamage } from "./record-damage.ts";
import { VerifyCounts } from "./verify-counts.ts";
import { DEFAULT_VERIFY_LANES, type VerifyOptions, type VerifyReport } from "./verify-report.ts";

/**
 * Reads every chunk of the points once and proves it. Damage is reported, and recorded in the repository as far as
 * possible, not thrown; a failure of the store is thrown.
 */
export async function verifyPoints(
  repository: Repository,
  points: readonly RecoveryPoint[],
  options: VerifyOptions,
): Promise<VerifyReport> {
  const proved = new ProvedChunks(repository.index);
  const counts = new VerifyCounts(proved, options.onProgress);
  const { damage, losses, singlePages } = await provePoints(repository, points, { proved, counts }, options);
  const found = { findings: new PackFindings(), exists: () => true, losses };
  const notes = await recordDamage(repository, found, options.signal);
  const { chunks, bytes } = proved;
  const pagesOnce = singlePages.count;
  return { points: points.length, chunks, bytes, packs: 0, storedBytes: 0, damage, pagesOnce, notes, repairable: true };
}

interface Proving {
  readonly proved: ProvedChunks;
  readonly counts: VerifyCounts;
}

/** The damage of the points, except those forgotten meanwhile. Chunks in `proved` are not read again. */
export async function provePoints(
  repository: Repository,
  points: readonly RecoveryPoint[],
  { proved, counts }: Proving,
  options: VerifyOptions,
): Promise<DamagedPoints> {
  counts.expectPoints(points.length);
  const found = new DamagedPoints(repository.index);
  const proof = new PointProof(repository, { proved, counts, singlePages: found.singlePages }, options);
  for (const point of points) {
    const losses: DiskLosses[] = [];
    for (const record of point.disks) {
      const lost = await proof.lossesOf(point, record);
      if (lost.ranges.length > 0) losses.push(lost);
    }
    if (losses.length > 0 && (await repository.points.holds(point, options.signal))) found.add(point, losses);
    counts.point();
  }
  return found;
}

interface BlockToProve {
  readonly id: ChunkId;
  readonly offset: number;
  readonly leaf: LeafToProve;
}

interface LeafToProve {
  readonly page: ChunkId;
  blocksLeft: number;
  whole: boolean;
}

class PointProof {
  readonly #repository: Repository;
  readonly #proved: ProvedChunks;
  readonly #counts: VerifyCounts;
  readonly #singlePages: SinglePages;
  readonly #options: VerifyOptions;
  /** Pages whose chunks were all proved: consecutive points share most pages. */
  readonly #soundPages: ChunkSet;
  /** Chunks that could not be read. */
  readonly #lostChunks: ChunkSet;

  constructor(
    repository: Repository,
    { proved, counts, singlePages }: Proving & { readonly singlePages: SinglePages },
    options: VerifyOptions,
  ) {
    this.#repository = repository;
    this.#proved = proved;
    this.#counts = counts;
    this.#singlePages = singlePages;
    this.#options = options;
    this.#soundPages = new ChunkSet(repository.index);
    this.#lostChunks = new ChunkSet(repository.index);
  }

  /** The ranges are empty when nothing is lost. */
  async lossesOf(point: RecoveryPoint, record: DiskRecord): Promise<DiskLosses> {
    const { signal, lanes = DEFAULT_VERIFY_LANES } = this.#options;
    const { id: disk, alias } = record.disk;
    const { blockBytes } = point;
    const { logicalBytes } = record.stats;
    let map: BlockMapReader | undefined;
    const noMap = await failureOf(async () => {
      map = await this.#repository.openMap(point, record, signal, { tolerant: true, loadPage: this.#loadPage });
    });
    if (map === undefined) {
      const reason = noMap ?? "it has no block map";
      return { disk, alias, lostBytes: logicalBytes, ranges: [{ offset: 0, length: logicalBytes, reason }] };
    }
    const lost = new LostRanges();
    const lose = (offset: number, length: number, reason: string): void =>
      lost.add({ offset, length: Math.min(length, logicalBytes - offset), reason });
    const prove = async ({ id, offset, leaf }: BlockToProve, lane: AbortSignal): Promise<void> => {
      const reason = await this.#failureOf(id, lane);
      if (reason !== undefined) lose(offset, blockBytes, reason);
      this.#finishBlock(leaf, reason === undefined);
    };
    const blocks = this.#blocksOf(map, blockBytes, lose);
    await inLanes(blocks, lanes, prove, signal);
    return { disk, alias, lostBytes: lost.lostBytes, ranges: lost.ranges };
  }

  readonly #loadPage: LoadPage = async (id, signal) => {
    const page = await this.#repository.chunks.load(id, signal);
    this.#singlePages.see(id);
    return page;
  };

  async *#blocksOf(
    map: BlockMapReader,
    blockBytes: number,
    lose: (offset: number, length: number, reason: string) => void,
  ): AsyncGenerator<BlockToProve> {
    const isSound = (page: ChunkId): boolean => this.#soundPages.has(page);
    for await (const part of leavesOf(map, this.#options.signal, isSound)) {
      const offset = part.first * blockBytes;
      if (part.kind === "lost") lose(offset, part.count * blockBytes, messageOf(part.error));
      if (part.kind !== "blocks") continue;
      const leaf = { page: part.page, blocksLeft: part.ids.filter((id) => id !== null).length, whole: true };
      for (const [at, id] of part.ids.entries()) if (id !== null) yield { id, offset: offset + at * blockBytes, leaf };
    }
  }

  #finishBlock(leaf: LeafToProve, whole: boolean): void {
    leaf.blocksLeft -= 1;
    leaf.whole &&= whole;
    if (leaf.blocksLeft === 0 && leaf.whole) this.#soundPages.add(leaf.page);
  }

  /** The reason why a chunk cannot be read, or undefined. A chunk shared by many blocks is read once. */
  async #failureOf(id: ChunkId, signal: AbortSignal): Promise<string | undefined> {
    if (this.#proved.has(id)) return undefined;
    if (this.#lostChunks.has(id)) return "its chunk is damaged";
    let plainBytes = 0;
    const reason = await failureOf(async () => {
      plainBytes = (await this.#repository.chunks.load(id, signal)).byteLength;
    });
    if (reason === undefined) {
      this.#proved.add(id, plainBytes);
      this.#counts.report();
      return undefined;
    }
    this.#lostChunks.add(id);
    return reason;
  }
}
