import { copyInto } from "@ovault/contract";

import type { ByteSource } from "./byte-source.ts";
import { ClusterReader } from "./cluster-reader.ts";
import { decompressCluster } from "./decompress-cluster.ts";
import { ImageCorruptError } from "./errors.ts";
import { readHeader, type BackingReference, type Qcow2Header } from "./qcow2-header.ts";
import { TableCache } from "./table-cache.ts";

/** Content of a range of the disk in one layer; `absent`: the layer below decides. */
export type LayerKind = "data" | "zero" | "absent";

/** A range of the disk, in bytes, and for data its place in the file. */
export interface LayerPiece {
  readonly offset: number;
  readonly length: number;
  readonly kind: LayerKind;
  readonly host?: HostPlace;
}

/** With `compressedBytes` the piece lies, from `within` on, in a compressed cluster at `offset`. */
export interface HostPlace {
  readonly offset: number;
  readonly compressedBytes?: number;
  readonly within?: number;
}

const SUBCLUSTERS = 32;
const SECTOR_BYTES = 512;
/** Bits 9 to 55 of an entry are an offset; these are their parts in the high and the low word. */
const OFFSET_HIGH = 0x00ffffff;
const OFFSET_LOW = 0xfffffe00;
const COMPRESSED = 0x40000000;
const ZERO = 1;
const WORD = 2 ** 32;

/**
 * A read-only QCOW2 file: versions 2 and 3, zero clusters, subclusters, clusters compressed with deflate or zstd. The
 * file must not change meanwhile. The reader does not trust its content: memory stays bounded by the L1 table (at most
 * 32 MiB, and as much to check it) and a few L2 tables, work by the size of the file, and a violation of the format is
 * an ImageCorruptError.
 */
export class Qcow2Layer {
  readonly #clusters: ClusterReader;
  readonly #header: Qcow2Header;
  readonly #l1: Buffer;
  readonly #l2: TableCache;
  readonly #clusterBytes: number;
  readonly #entryBytes: number;
  /** Bytes of the disk that one L2 table maps. */
  readonly #reach: number;

  /** Reads header and L1 table. @throws ImageCorruptError and ImageUnsupportedError */
  static async open(source: ByteSource, signal: AbortSignal): Promise<Qcow2Layer> {
    const header = await readHeader(source, signal);
    const clusters = new ClusterReader(source, 2 ** header.clusterBits);
    const l1 = await clusters.read(header.l1Offset, header.l1Entries * 8, signal);
    assertOwnTables(l1);
    return new Qcow2Layer(clusters, header, l1);
  }

  private constructor(clusters: ClusterReader, header: Qcow2Header, l1: Buffer) {
    this.#clusters = clusters;
    this.#header = header;
    this.#l1 = l1;
    this.#clusterBytes = 2 ** header.clusterBits;
    this.#entryBytes = header.subclusters ? 16 : 8;
    this.#reach = this.#clusterBytes * (this.#clusterBytes / this.#entryBytes);
    this.#l2 = new TableCache(this.#clusterBytes);
  }

  get logicalBytes(): number {
    return this.#header.logicalBytes;
  }

  /** The image's reference to the layer below. */
  get backing(): BackingReference | undefined {
    return this.#header.backing;
  }

  /** Ascending, gapless, covering the range, which must lie within the disk. Neighbours may be of the same kind. */
  async *pieces(offset: number, length: number, signal: AbortSignal): AsyncGenerator<LayerPiece> {
    const end = offset + length;
    for (let at = offset; at < end;) {
      const index = Math.floor(at / this.#reach);
      const stop = Math.min(end, (index + 1) * this.#reach);
      const table = await this.#table(index, signal);
      if (table === undefined) yield { offset: at, length: stop - at, kind: "absent" };
      else yield* joined(this.#entries(table, at, stop));
      at = stop;
    }
  }

  /** Fills `target` with a piece of data, or the beginning of one. */
  async readPiece(piece: LayerPiece, target: Uint8Array, signal: AbortSignal): Promise<void> {
    if (piece.host === undefined) throw new RangeError(`no data at ${piece.offset}`);
    const { offset, compressedBytes, within = 0 } = piece.host;
    if (compressedBytes === undefined) return await this.#clusters.readInto(offset, target, signal);
    const stored = await this.#clusters.readPacked(offset, compressedBytes, signal);
    const cluster = await decompressCluster(stored, this.#header.compression, this.#clusterBytes);
    copyInto(target, cluster.subarray(within, within + target.length));
  }

  /** `undefined` when the layer holds nothing in the range of this table. */
  async #table(index: number, signal: AbortSignal): Promise<Buffer | undefined> {
    const offset = offsetIn(this.#l1, index * 8);
    if (offset === 0) return undefined;
    return await this.#l2.get(index, async () => {
      this.#assertAligned(offset, "an L2 table");
      return await this.#clusters.read(offset, this.#clusterBytes, signal);
    });
  }

  *#entries(table: Buffer, from: number, to: number): Generator<LayerPiece> {
    for (let at = from; at < to;) {
      const cluster = Math.floor((at % this.#reach) / this.#clusterBytes);
      const within = at % this.#clusterBytes;
      const length = Math.min(to - at, this.#clusterBytes - within);
      const entry = cluster * this.#entryBytes;
      if ((table.readUInt32BE(entry) & COMPRESSED) !== 0) {
        yield { offset: at, length, kind: "data", host: { ...this.#compressedPlace(table, entry), within } };
      } else if (this.#header.subclusters) yield* this.#subclusters(table, entry, at, length);
      else yield this.#cluster(table, entry, at, length);
      at += length;
    }
  }

  #cluster(table: Buffer, entry: number, offset: number, length: number): LayerPiece {
    const zero = (table.readUInt32BE(entry + 4) & ZERO) !== 0;
    if (zero && this.#header.version === 2) throw new ImageCorruptError("a zero cluster in an image of version 2");
    if (zero) return { offset, length, kind: "zero" };
    const host = offsetIn(table, entry);
    if (host === 0) return { offset, length, kind: "absent" };
    this.#assertAligned(host, "a cluster");
    return { offset, length, kind: "data", host: { offset: host + (offset % this.#clusterBytes) } };
  }

  *#subclusters(table: Buffer, entry: number, offset: number, length: number): Generator<LayerPiece> {
    const bytes = this.#clusterBytes / SUBCLUSTERS;
    const zeros = table.readUInt32BE(entry + 8);
    const allocated = table.readUInt32BE(entry + 12);
    const host = offsetIn(table, entry);
    this.#assertAligned(host, "a cluster");
    for (let at = offset; at < offset + length;) {
      const within = at % this.#clusterBytes;
      const subcluster = Math.floor(within / bytes);
      const part = Math.min(offset + length - at, (subcluster + 1) * bytes - within);
      const isZero = ((zeros >>> subcluster) & 1) === 1;
      const isData = ((allocated >>> subcluster) & 1) === 1;
      if (isData && (isZero || host === 0)) throw new ImageCorruptError("a subcluster contradicts itself");
      if (isData) yield { offset: at, length: part, kind: "data", host: { offset: host + within } };
      else yield { offset: at, length: part, kind: isZero ? "zero" : "absent" };
      at += part;
    }
  }

  #compressedPlace(table: Buffer, entry: number): { offset: number; compressedBytes: number } {
    const bits = BigInt(70 - this.#header.clusterBits);
    const descriptor = BigInt.asUintN(62, table.readBigUInt64BE(entry));
    const offset = Number(BigInt.asUintN(Number(bits), descriptor));
    const sectors = Number(descriptor >> bits) + 1;
    if (!Number.isSafeInteger(offset)) throw new ImageCorruptError("a compressed cluster lies outside the image");
    return { offset, compressedBytes: sectors * SECTOR_BYTES - (offset % SECTOR_BYTES) };
  }

  #assertAligned(offset: number, what: string): void {
    if (offset % this.#clusterBytes === 0) return;
    throw new ImageCorruptError(`${what} begins in the middle of a cluster`, { context: { offset } });
  }
}

function offsetIn(table: Buffer, at: number): number {
  const high = table.readUInt32BE(at) & OFFSET_HIGH;
  return high * WORD + ((table.readUInt32BE(at + 4) & OFFSET_LOW) >>> 0);
}

/**
 * Each part of the disk must have its own L2 table: a small image with shared ones could describe a disk that takes
 * years to read.
 */
function assertOwnTables(l1: Buffer): void {
  const offsets = Float64Array.from({ length: l1.length / 8 }, (_, index) => offsetIn(l1, index * 8)).toSorted();
  const shared = offsets.find((offset, index) => offset !== 0 && offset === offsets[index - 1]);
  if (shared === undefined) return;
  throw new ImageCorruptError("two parts of the disk share one L2 table", { context: { offset: shared } });
}

/** Joins neighbours of the same kind that are also contiguous in the file. */
function* joined(pieces: Iterable<LayerPiece>): Generator<LayerPiece> {
  let open: LayerPiece | undefined;
  for (const piece of pieces) {
    if (open !== undefined && continues(open, piece)) {
      open = { ...open, length: open.length + piece.length };
      continue;
    }
    if (open !== undefined) yield open;
    open = piece;
  }
  if (open !== undefined) yield open;
}

function continues(open: LayerPiece, next: LayerPiece): boolean {
  if (open.kind !== next.kind) return false;
  if (open.host === undefined || next.host === undefined) return open.host === next.host;
  const plain = open.host.compressedBytes === undefined && next.host.compressedBytes === undefined;
  return plain && open.host.offset + open.length === next.host.offset;
}
