import { type DiskRecord, type RecoveryPoint, messageOf, IntegrityError, inLanes } from "@ovault/contract";
import { type DiskLosses, LostRanges } from "../../points/lost-ranges.ts";
import { readLeaf } from "../block-map/block-map-leaves.ts";
import { PAGE_ENTRIES } from "../block-map/block-map-page.ts";
import type { BlockMapReader } from "../block-map/block-map-reader.ts";
import type { ChunkId } from "../../format/digest.ts";
import type { ChunkIndex } from "../index/chunk-index.ts";
import type { BlockMaps } from "./block-maps.ts";

/** What tells which chunks can be read. */
export interface KnownChunks extends BlockMaps {
  readonly index: ChunkIndex;
  /** Adds the content of packs that no index object lists. */
  completeIndex(signal: AbortSignal): Promise<void>;
}

/** A part of a disk, in bytes. */
export interface DiskRange {
  readonly offset: number;
  readonly length: number;
}

export interface FindLossesOptions {
  /** Pages without losses; pages found sound are added. Points share it, as they share most pages. */
  readonly sound?: { has(page: ChunkId): boolean; add(page: ChunkId): unknown };
  /** Parts of disks to check, by disk id; other disks are checked whole. */
  readonly within?: ReadonlyMap<string, readonly DiskRange[]>;
  /** Called with every page that is read. */
  readonly onPage?: (id: ChunkId, page: Uint8Array) => void | Promise<void>;
  readonly signal: AbortSignal;
}

/** Pages in flight. */
const LANES = 8;
/** Limit of ranges kept for one disk: there are many points. */
const MOST_RANGES = 1_000;
const CHUNK_LOST = "no pack is known to hold its chunk any more";

/**
 * Finds what cannot be restored of a point, as far as is known: it reads pages of block maps, not data. Leaves out
 * disks without losses.
 */
export async function findLosses(
  repository: KnownChunks,
  point: RecoveryPoint,
  options: FindLossesOptions,
): Promise<readonly DiskLosses[]> {
  const losses: DiskLosses[] = [];
  for (const record of point.disks) {
    const lost = await lossesOfDisk(repository, { point, record }, options);
    const { id: disk, alias } = record.disk;
    if (lost.lostBytes > 0) losses.push({ disk, alias, lostBytes: lost.lostBytes, ranges: lost.ranges });
  }
  return losses;
}

async function lossesOfDisk(
  repository: KnownChunks,
  { point, record }: { readonly point: RecoveryPoint; readonly record: DiskRecord },
  { sound, within, onPage, signal }: FindLossesOptions,
): Promise<LostRanges> {
  const { blockBytes } = point;
  const { logicalBytes } = record.stats;
  const lost = new LostRanges(MOST_RANGES);
  const lose = (block: number, count: number, reason: string): void => {
    const offset = block * blockBytes;
    lost.add({ offset, length: Math.min(count * blockBytes, logicalBytes - offset), reason });
  };
  let map: BlockMapReader;
  try {
    const loadPage = async (id: ChunkId, pageSignal: AbortSignal): Promise<Uint8Array> => {
      const page = await repository.chunks.load(id, pageSignal);
      await onPage?.(id, page);
      return page;
    };
    map = await repository.openMap(point, record, signal, { tolerant: true, loadPage });
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    lost.add({ offset: 0, length: logicalBytes, reason: error.message });
    return lost;
  }
  const isSound = (page: ChunkId): boolean => sound?.has(page) === true;
  const look = async (leaf: number, lane: AbortSignal): Promise<void> => {
    const part = await readLeaf(map, leaf, lane, isSound);
    if (part?.kind === "lost") lose(part.first, part.count, messageOf(part.error));
    if (part?.kind !== "blocks") return;
    let whole = true;
    for (const [at, id] of part.ids.entries()) {
      if (id === null || (await isReadable(repository, id, lane))) continue;
      whole = false;
      lose(part.first + at, 1, CHUNK_LOST);
    }
    if (whole) sound?.add(part.page);
  };
  const leaves = leavesIn(map, blockBytes, within?.get(record.disk.id));
  await inLanes(leaves, LANES, look, signal);
  return lost;
}

/** A chunk that no index object lists may still be in a pack. */
async function isReadable(repository: KnownChunks, id: ChunkId, signal: AbortSignal): Promise<boolean> {
  const { index } = repository;
  if (index.isReadable(id)) return true;
  if (index.entryOf(id) !== undefined) return false;
  await repository.completeIndex(signal);
  return index.isReadable(id);
}

/** Numbers of the leaves that cover these ranges, each once; without ranges, of all leaves. */
async function* leavesIn(
  { leafCount }: BlockMapReader,
  blockBytes: number,
  ranges: readonly DiskRange[] | undefined,
): AsyncGenerator<number> {
  const leafBytes = PAGE_ENTRIES * blockBytes;
  let next = 0;
  for (const { offset, length } of ranges ?? [{ offset: 0, length: leafCount * leafBytes }]) {
    const end = Math.min(leafCount, Math.ceil((offset + length) / leafBytes));
    for (let leaf = Math.max(next, Math.floor(offset / leafBytes)); leaf < end; leaf += 1) yield leaf;
    next = Math.max(next, end);
  }
}
