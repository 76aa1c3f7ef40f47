import { isZero } from "@ovault/contract";

import { ClusterMap } from "./cluster-map.ts";
import { DraftFile } from "./draft-file.ts";
import { ImageFileError } from "./errors.ts";
import { MAX_WRITES, type ImageFileOptions, type ImageFileTarget } from "./image-file-target.ts";
import {
  CLUSTER_BYTES,
  clustersFor,
  headerCluster,
  L2_ENTRIES,
  MAX_VIRTUAL_BYTES,
  planRefcounts,
  pointerTable,
  refcountBlock,
  refcountTable,
} from "./qcow2-layout.ts";

const SECTOR_BYTES = 512;
const ZERO_CLUSTER = Buffer.alloc(CLUSTER_BYTES);
const { signal: never } = new AbortController();

/** Bytes that are contiguous both in the caller's data and in the file. */
interface Run {
  readonly fileOffset: number;
  readonly from: number;
  to: number;
}

/**
 * A QCOW2 version 3 image of 64 KiB clusters, written without QEMU. Takes data of any alignment, in any order,
 * concurrently; clusters that hold only zeros take no space. `finish` writes everything but data. The virtual size is
 * `logicalBytes` rounded up to a whole sector of 512 bytes, as QEMU does with images of odd sizes.
 */
export class Qcow2FileTarget implements ImageFileTarget {
  readonly diskId: string;
  readonly logicalBytes: number;
  readonly maxWrites = MAX_WRITES;
  readonly #file: DraftFile;
  /** The first cluster is the header's. */
  readonly #map = new ClusterMap(1);

  /** @throws ImageFileExistsError, ImageFileError */
  static async create(options: ImageFileOptions): Promise<Qcow2FileTarget> {
    if (options.logicalBytes > MAX_VIRTUAL_BYTES) {
      throw new ImageFileError(`a QCOW2 image with 64 KiB clusters cannot hold ${options.logicalBytes} bytes`, {
        hint: "Restore to a raw file instead.",
      });
    }
    return new Qcow2FileTarget(await DraftFile.create(options.path), options);
  }

  private constructor(file: DraftFile, options: ImageFileOptions) {
    this.#file = file;
    this.diskId = options.diskId;
    this.logicalBytes = options.logicalBytes;
  }

  get path(): string {
    return this.#file.path;
  }

  async write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    for (const { fileOffset, from, to } of this.#place(offset, data)) {
      await this.#file.write(fileOffset, data.subarray(from, to), signal);
    }
  }

  async zero(offset: number, length: number, signal: AbortSignal): Promise<void> {
    const end = offset + length;
    for (const cluster of this.#map.allocatedWithin(Math.floor(offset / CLUSTER_BYTES), clustersFor(end))) {
      const start = Math.max(offset, cluster * CLUSTER_BYTES);
      const stop = Math.min(end, (cluster + 1) * CLUSTER_BYTES);
      await this.write(start, ZERO_CLUSTER.subarray(0, stop - start), signal);
    }
  }

  flush(): Promise<void> {
    return this.#file.sync();
  }

  async finish(): Promise<void> {
    let nextCluster = this.#map.end;
    const append = async (bytes: Buffer): Promise<number> => {
      const cluster = nextCluster;
      nextCluster += bytes.length / CLUSTER_BYTES;
      await this.#file.write(cluster * CLUSTER_BYTES, bytes, never);
      return cluster;
    };
    const virtualBytes = Math.ceil(this.logicalBytes / SECTOR_BYTES) * SECTOR_BYTES;
    const l1 = new Uint32Array(Math.max(1, Math.ceil(virtualBytes / (L2_ENTRIES * CLUSTER_BYTES))));
    for (const [index, clusters] of this.#map.tables()) l1[index] = await append(pointerTable(clusters, L2_ENTRIES));
    const l1Cluster = await append(pointerTable(l1, l1.length));
    const refcounts = planRefcounts(nextCluster);
    for (let block = 0; block < refcounts.blockCount; block += 1) await append(refcountBlock(refcounts, block));
    await append(refcountTable(refcounts));
    await this.#file.write(0, headerCluster({ virtualBytes, l1Entries: l1.length, l1Cluster, refcounts }), never);
    await this.#file.publish();
  }

  abort(): Promise<void> {
    return this.#file.discard();
  }

  /** Allocates all missing clusters synchronously, so that overlapping calls agree on their places. */
  #place(offset: number, data: Uint8Array): readonly Run[] {
    const runs: Run[] = [];
    for (let from = 0; from < data.length;) {
      const within = (offset + from) % CLUSTER_BYTES;
      const to = Math.min(data.length, from + CLUSTER_BYTES - within);
      const guestCluster = Math.floor((offset + from) / CLUSTER_BYTES);
      if (this.#map.get(guestCluster) !== 0 || !isZero(data.subarray(from, to))) {
        const fileOffset = this.#map.allocate(guestCluster) * CLUSTER_BYTES + within;
        const last = runs.at(-1);
        if (last?.to === from && last.fileOffset + (from - last.from) === fileOffset) last.to = to;
        else runs.push({ fileOffset, from, to });
      }
      from = to;
    }
    return runs;
  }
}
