import {
  type DiskSource,
  type DiskRecord,
  type RecoveryPoint,
  SourceError,
  observe,
  type RunHooks,
} from "@ovault/contract";
import { backupDisk, type BaseDisk } from "../pipeline/backup-disk.ts";
import type { BufferPool } from "../pipeline/buffer-pool.ts";
import type { ChunkWriter } from "../repository/chunks/chunk-writer.ts";
import type { Repository } from "../repository/repository.ts";
import { toHex } from "../util/hex.ts";

export interface BackupDisksOptions {
  readonly sources: readonly DiskSource[];
  readonly repository: Repository;
  readonly writer: ChunkWriter;
  readonly base: RecoveryPoint | undefined;
  /** One block each. Bounds the blocks in flight of all disks, and of other runs that share the pool. */
  readonly buffers: BufferPool;
  readonly hooks: RunHooks;
  readonly signal: AbortSignal;
}

/**
 * Backs up all disks of a virtual machine concurrently, from one pool of buffers, so that memory does not grow with
 * their number. Rejects only after nothing is in flight.
 */
export async function backupDisks(options: BackupDisksOptions): Promise<DiskRecord[]> {
  const own = new AbortController();
  const signal = AbortSignal.any([options.signal, own.signal]);
  const results = await Promise.allSettled(
    options.sources.map(async (source) => {
      try {
        return await takeDisk(source, { ...options, signal });
      } catch (error) {
        own.abort(error);
        throw error;
      } finally {
        await source.release?.();
      }
    }),
  );
  options.signal.throwIfAborted();
  if (own.signal.aborted) throw own.signal.reason;
  return results.filter((result) => result.status === "fulfilled").map((result) => result.value);
}

async function takeDisk(source: DiskSource, options: BackupDisksOptions): Promise<DiskRecord> {
  const { repository, writer, buffers, hooks, signal } = options;
  const { disk, mode, reason } = source;
  const { blockMap, stats } = await backupDisk({
    source,
    sink: writer,
    base: mode === "full" ? undefined : await openBase(options, disk.id),
    blockBytes: repository.settings.blockBytes,
    buffers,
    lanes: buffers.count,
    onProgress: ({ doneBytes, readBytes, storedBytes }) =>
      observe(hooks.span, { diskId: disk.id, doneBytes, logicalBytes: disk.logicalBytes, readBytes, storedBytes }),
    signal,
  });
  return { disk, mode, reason, blockMap: blockMap === null ? null : toHex(blockMap), stats };
}

async function openBase(options: BackupDisksOptions, diskId: string): Promise<BaseDisk | undefined> {
  const { base, repository, signal } = options;
  const record = base?.disks.find((candidate) => candidate.disk.id === diskId);
  if (base === undefined || record === undefined) return undefined;
  const map = await repository.openMap(base, record, signal);
  return {
    map,
    logicalBytes: record.stats.logicalBytes,
    async readBlock(block, blockSignal) {
      if (block >= map.blockCount) {
        throw new SourceError(`block ${block} of disk ${diskId} is said to be unchanged, but the base is shorter`);
      }
      const id = await map.chunkOf(block, blockSignal);
      return id === null ? undefined : repository.chunks.load(id, blockSignal);
    },
  };
}
