import { type DiskSource, type DiskRecord, SourceError } from "@ovault/contract";
import { backupDisk, type BaseDisk } from "../../pipeline/backup-disk.ts";
import { takeDisks } from "../../pipeline/take-disks.ts";
import type { TakeDisksOptions } from "../../points/point-writer.ts";
import { toHex } from "../../util/hex.ts";
import type { BlockMapReader } from "../block-map/block-map-reader.ts";
import type { ChunkWriter } from "../chunks/chunk-writer.ts";
import type { BlockMaps } from "../reading/block-maps.ts";
import { ChunkedDisk } from "./chunked-disk.ts";

export interface BackupDisksOptions extends Omit<TakeDisksOptions, "anew"> {
  readonly repository: BlockMaps & { readonly blockBytes: number };
  readonly writer: ChunkWriter;
  readonly signal: AbortSignal;
}

/** The base of a disk, with its block map. */
interface ChunkedBase extends BaseDisk {
  readonly map: BlockMapReader;
}

/** Backs up all disks of a virtual machine. Durable only after the writer is finished. */
export async function backupDisks(sources: readonly DiskSource[], options: BackupDisksOptions): Promise<DiskRecord[]> {
  const take = (source: DiskSource, signal: AbortSignal): Promise<DiskRecord> =>
    takeDisk(source, { ...options, signal });
  return await takeDisks(sources, take, options.signal);
}

async function takeDisk(source: DiskSource, options: BackupDisksOptions): Promise<DiskRecord> {
  const { disk, mode, reason } = source;
  const { blockBytes } = options.repository;
  const base = mode === "full" ? undefined : await openBase(options, disk.id);
  const sink = new ChunkedDisk(options.writer, Math.ceil(disk.logicalBytes / blockBytes), base?.map);
  const stats = await backupDisk({ ...options, source, sink, base, blockBytes });
  const blockMap = await sink.finish();
  return { disk, mode, reason, blockMap: blockMap === null ? null : toHex(blockMap), stats };
}

async function openBase(options: BackupDisksOptions, diskId: string): Promise<ChunkedBase | undefined> {
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
