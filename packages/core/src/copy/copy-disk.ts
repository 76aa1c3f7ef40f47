import { lastValueFrom, scan } from "rxjs";

import { type DiskRecord, type RecoveryPoint, IntegrityError } from "@ovault/contract";
import { pullInLanes } from "../concurrency/pull-in-lanes.ts";
import type { BlockMapReader } from "../repository/block-map/block-map-reader.ts";
import { BlockMapWriter } from "../repository/block-map/block-map-writer.ts";
import type { ChunkWriter } from "../repository/chunks/chunk-writer.ts";
import type { ChunkId } from "../format/digest.ts";
import type { Repository } from "../repository/repository.ts";
import { toHex } from "../util/hex.ts";
import { release } from "../util/release.ts";
import { type CopyTotals, NOTHING_COPIED, sumOf } from "./copy-totals.ts";
import type { ReferenceDisk } from "./find-reference.ts";
import { type CopyBlock, type CopySpan, planCopy } from "./plan-copy.ts";

export interface CopyDiskOptions {
  readonly from: Repository;
  readonly writer: ChunkWriter;
  /** Both repositories give a chunk the same id, so that the id alone shows whether a chunk is there. */
  readonly sameIds: boolean;
  readonly point: RecoveryPoint;
  readonly record: DiskRecord;
  /** The block map in the source. */
  readonly map: BlockMapReader;
  readonly reference: ReferenceDisk | undefined;
  readonly lanes: number;
  readonly onProgress: (totals: CopyTotals) => void;
  readonly signal: AbortSignal;
}

export interface CopiedDisk extends CopyTotals {
  /** Root of the block map in the destination. Not durable until the writer is finished. */
  readonly blockMap: ChunkId | null;
}

/** Entries of the cache from source ids to destination ids, so that a repeated block is read once. */
const REMEMBERED_IDS = 32 * 1024;

/**
 * Copies one disk: reads only chunks that the destination lacks, verifies them by their ids, and stores them under the
 * ids and with the codec of the destination. One lane carries one block.
 * @throws IntegrityError when the source has lost data of the disk
 */
export async function copyDisk(options: CopyDiskOptions): Promise<CopiedDisk> {
  const { writer, point, record, map, reference, lanes, onProgress, signal } = options;
  const { logicalBytes } = record.stats;
  const { blockBytes } = point;
  const storePage = async (page: Uint8Array): Promise<ChunkId> => {
    const id = await writer.idOf(page);
    await writer.store("pages", id, page);
    return id;
  };
  const target = new BlockMapWriter(map.blockCount, storePage, reference?.destination);
  const copyBlock = blockCopier(options);
  const bytesOf = (first: number, count: number): number =>
    Math.min((first + count) * blockBytes, logicalBytes) - first * blockBytes;

  const work = async (item: CopySpan | CopyBlock, lane: AbortSignal): Promise<CopyTotals> => {
    if (item.kind !== "block") {
      await target.fill(item.first, item.count, item.kind === "same" ? "unchanged" : "zero", lane);
      return { ...NOTHING_COPIED, doneBytes: bytesOf(item.first, item.count) };
    }
    const { id, ...moved } = await copyBlock(item, bytesOf(item.block, 1), lane);
    await target.set(item.block, id);
    return { ...moved, doneBytes: bytesOf(item.block, 1) };
  };
  const totals = pullInLanes(planCopy(map, reference?.source, signal), lanes, work, signal).pipe(
    scan((sum, moved) => {
      const next = sumOf([sum, moved]);
      onProgress(next);
      return next;
    }, NOTHING_COPIED),
  );
  const end = await lastValueFrom(totals, { defaultValue: NOTHING_COPIED });
  return { ...end, blockMap: await target.finish() };
}

interface CopiedBlock {
  /** The chunk's id in the destination. */
  readonly id: ChunkId;
  readonly readBytes: number;
  readonly storedBytes: number;
}

function blockCopier({ from, writer, sameIds }: CopyDiskOptions) {
  const remembered = new Map<string, ChunkId>();
  return async ({ block, id }: CopyBlock, length: number, signal: AbortSignal): Promise<CopiedBlock> => {
    const name = toHex(id);
    const known = sameIds ? id : remembered.get(name);
    if (known !== undefined && (await writer.has("data", known))) return { id: known, readBytes: 0, storedBytes: 0 };
    const plain = await from.chunks.load(id, signal);
    if (plain.byteLength !== length) {
      throw new IntegrityError(`block ${block} has ${plain.byteLength} bytes instead of ${length}`, {
        context: { block, chunk: name },
      });
    }
    const stored = sameIds ? id : await writer.idOf(plain);
    const storedBytes = await writer.store("data", stored, plain);
    release(plain);
    if (!sameIds) remember(remembered, name, stored);
    return { id: stored, readBytes: length, storedBytes };
  };
}

function remember(ids: Map<string, ChunkId>, source: string, destination: ChunkId): void {
  ids.set(source, destination);
  const [oldest] = ids.keys();
  if (ids.size > REMEMBERED_IDS && oldest !== undefined) ids.delete(oldest);
}
