import { type Extent, settleAll } from "@ovault/contract";

import {
  CLUSTER_BYTES,
  clustersFor,
  headerCluster,
  L2_ENTRIES,
  l2Entry,
  planRefcounts,
  pointerTable,
  refcountBlock,
  type RefcountPlan,
  refcountTable,
} from "./qcow2-layout.ts";
import type { RangedDisk } from "./ranged-disk.ts";

interface Range {
  readonly offset: number;
  readonly length: number;
}

/** A part of the file, in bytes. */
interface Region {
  readonly start: number;
  readonly end: number;
  readonly read: (offset: number, into: Uint8Array, signal: AbortSignal) => Promise<void>;
}

/**
 * A disk as the QCOW2 file that would hold it, made up as it is read: opening costs nothing, however large the disk.
 *
 * Every guest cluster has a place of its own in the file, in order, and is counted as used; those without data are marked
 * as zeros. So the layout depends on the size alone, and what is written over the file, by an overlay, fits it for ever.
 */
export class Qcow2View implements RangedDisk {
  readonly logicalBytes: number;
  readonly #disk: RangedDisk;
  readonly #refcounts: RefcountPlan;
  /** Cluster of the first guest cluster. */
  readonly #firstData: number;
  readonly #regions: readonly Region[];

  constructor(disk: RangedDisk) {
    const guestClusters = clustersFor(disk.logicalBytes);
    const l1Entries = Math.ceil(guestClusters / L2_ENTRIES);
    const l1Clusters = clustersFor(l1Entries * 8);
    const firstL2 = 1 + l1Clusters;
    this.#firstData = firstL2 + l1Entries;
    this.#disk = disk;
    this.#refcounts = planRefcounts(this.#firstData + guestClusters);
    this.logicalBytes = this.#refcounts.totalClusters * CLUSTER_BYTES;
    const options = { virtualBytes: disk.logicalBytes, l1Entries, l1Cluster: 1, refcounts: this.#refcounts };
    const l2Tables = Array.from({ length: l1Entries }, (_, table) => firstL2 + table);
    const { firstCluster, blockCount } = this.#refcounts;
    this.#regions = regionsOf([
      [1, inMemory(headerCluster(options))],
      [l1Clusters, inMemory(pointerTable(l2Tables, l1Entries))],
      [l1Entries, (offset, into, signal) => this.#readEntries(offset, into, signal)],
      [firstCluster - this.#firstData, (offset, into, signal) => this.#readDisk(offset, into, signal)],
      [blockCount, (offset, into) => this.#readRefcounts(offset, into)],
      [this.#refcounts.tableClusters, inMemory(refcountTable(this.#refcounts))],
    ]);
  }

  async readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    const end = offset + buffer.byteLength;
    const reads = this.#regions.map(async (region) => {
      const [from, to] = [Math.max(offset, region.start), Math.min(end, region.end)];
      if (from < to) await region.read(from - region.start, buffer.subarray(from - offset, to - offset), signal);
    });
    await settleAll(reads);
  }

  async *extentsOf({ offset, length }: Range, signal: AbortSignal): AsyncGenerator<Extent> {
    const end = offset + length;
    const dataStart = this.#firstData * CLUSTER_BYTES;
    const dataEnd = dataStart + this.#disk.logicalBytes;
    const restEnd = this.#refcounts.firstCluster * CLUSTER_BYTES;
    yield* cut("data", 0, dataStart, { offset, end });
    const [from, to] = [Math.max(offset, dataStart), Math.min(end, dataEnd)];
    if (from < to) {
      for await (const extent of this.#disk.extentsOf({ offset: from - dataStart, length: to - from }, signal)) {
        yield { ...extent, offset: extent.offset + dataStart };
      }
    }
    yield* cut("zero", dataEnd, restEnd, { offset, end });
    yield* cut("data", restEnd, this.logicalBytes, { offset, end });
  }

  /** The end of the last cluster is behind the disk. */
  async #readDisk(offset: number, into: Uint8Array, signal: AbortSignal): Promise<void> {
    const inDisk = Math.min(into.byteLength, Math.max(0, this.#disk.logicalBytes - offset));
    into.fill(0, inDisk);
    if (inDisk > 0) await this.#disk.readInto(offset, into.subarray(0, inDisk), signal);
  }

  async #readEntries(offset: number, into: Uint8Array, signal: AbortSignal): Promise<void> {
    const first = Math.floor(offset / 8);
    const end = Math.min(Math.ceil((offset + into.byteLength) / 8), clustersFor(this.#disk.logicalBytes));
    const entries = Buffer.alloc(Math.ceil((offset + into.byteLength) / 8) * 8 - first * 8);
    for (let cluster = first; cluster < end; cluster += 1) {
      entries.writeBigUInt64BE(l2Entry(this.#firstData + cluster, "zero"), (cluster - first) * 8);
    }
    const start = first * CLUSTER_BYTES;
    const length = Math.min(end * CLUSTER_BYTES, this.#disk.logicalBytes) - start;
    if (length > 0) {
      for await (const extent of this.#disk.extentsOf({ offset: start, length }, signal)) {
        if (extent.kind === "zero") continue;
        const last = clustersFor(extent.offset + extent.length);
        for (let cluster = Math.floor(extent.offset / CLUSTER_BYTES); cluster < last; cluster += 1) {
          entries.writeBigUInt64BE(l2Entry(this.#firstData + cluster, "data"), (cluster - first) * 8);
        }
      }
    }
    into.set(entries.subarray(offset - first * 8, offset - first * 8 + into.byteLength));
  }

  async #readRefcounts(offset: number, into: Uint8Array): Promise<void> {
    for (let done = 0; done < into.byteLength;) {
      const at = offset + done;
      const block = refcountBlock(this.#refcounts, Math.floor(at / CLUSTER_BYTES));
      const part = block.subarray(at % CLUSTER_BYTES).subarray(0, into.byteLength - done);
      into.set(part, done);
      done += part.length;
    }
  }
}

function regionsOf(parts: readonly (readonly [clusters: number, read: Region["read"]])[]): readonly Region[] {
  let start = 0;
  return parts.map(([clusters, read]) => {
    const region = { start, end: start + clusters * CLUSTER_BYTES, read };
    start = region.end;
    return region;
  });
}

function inMemory(bytes: Buffer): Region["read"] {
  return (offset, into) => Promise.resolve(into.set(bytes.subarray(offset, offset + into.byteLength)));
}

function* cut(
  kind: Extent["kind"],
  start: number,
  stop: number,
  { offset, end }: { readonly offset: number; readonly end: number },
): Generator<Extent> {
  const [from, to] = [Math.max(start, offset), Math.min(stop, end)];
  if (from < to) yield { offset: from, length: to - from, kind };
}
