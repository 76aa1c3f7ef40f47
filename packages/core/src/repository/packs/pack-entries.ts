import { IntegrityError, copyOf } from "@ovault/contract";
import { DIGEST_BYTES, type ChunkId } from "../../format/digest.ts";

/** Where one chunk lies in its pack. Offsets and lengths in bytes. */
export interface PackEntry {
  readonly id: ChunkId;
  readonly offset: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly codec: number;
}

/** Offsets of an entry's fields; the id comes first. */
export const ENTRY_BYTES = 48;
export const OFFSET_AT = 32;
export const STORED_BYTES_AT = 36;
export const PLAIN_BYTES_AT = 40;
export const CODEC_AT = 44;

/** Bytes before the first chunk of a pack. */
export const HEADER_BYTES = 16;
/** Limit of chunks per pack: more are damage or an attack. */
export const MAX_PACK_CHUNKS = 64 * 1024;
/** Largest plain chunk a reader accepts: larger figures in a directory are damage or an attack. */
export const MAX_CHUNK_BYTES = 8 * 1024 * 1024;
/** The same for a stored chunk: leaves room for whatever a codec and encryption add. */
export const MAX_STORED_BYTES = 2 * MAX_CHUNK_BYTES;

/**
 * The entries of a pack in the form of packs and index objects, so that a million of them are a few arrays, not
 * objects.
 */
export class PackEntries implements Iterable<PackEntry> {
  /** 48 bytes per entry. */
  readonly bytes: Uint8Array;
  /** Over the same bytes. */
  readonly view: DataView;

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  static of(entries: readonly PackEntry[]): PackEntries {
    const packed = new PackEntries(new Uint8Array(entries.length * ENTRY_BYTES));
    for (const [number, { id, offset, storedBytes, plainBytes, codec }] of entries.entries()) {
      const at = number * ENTRY_BYTES;
      packed.bytes.set(id, at);
      packed.view.setUint32(at + OFFSET_AT, offset, true);
      packed.view.setUint32(at + STORED_BYTES_AT, storedBytes, true);
      packed.view.setUint32(at + PLAIN_BYTES_AT, plainBytes, true);
      packed.view.setUint8(at + CODEC_AT, codec);
    }
    return packed;
  }

  /**
   * A view of bytes that came from a store.
   * @throws IntegrityError for impossible figures: a chunk outside the pack, whose chunks end at `dataEnd`, one or a
   * count above the limits, or no chunks
   */
  static parse(bytes: Uint8Array, dataEnd: number, key: string): PackEntries {
    const entries = new PackEntries(bytes);
    const { view } = entries;
    const count = entries.length;
    let possible = Number.isInteger(count) && count > 0 && count <= MAX_PACK_CHUNKS;
    for (let at = 0; possible && at < bytes.byteLength; at += ENTRY_BYTES) {
      const offset = view.getUint32(at + OFFSET_AT, true);
      const storedBytes = view.getUint32(at + STORED_BYTES_AT, true);
      const plainBytes = view.getUint32(at + PLAIN_BYTES_AT, true);
      possible =
        offset >= HEADER_BYTES &&
        offset + storedBytes <= dataEnd &&
        storedBytes <= MAX_STORED_BYTES &&
        plainBytes > 0 &&
        plainBytes <= MAX_CHUNK_BYTES;
    }
    if (possible) return entries;
    throw new IntegrityError(`${key} lists a chunk that cannot be in its pack`, { context: { key, dataEnd } });
  }

  get length(): number {
    return this.bytes.byteLength / ENTRY_BYTES;
  }

  *[Symbol.iterator](): Generator<PackEntry> {
    const { bytes, view } = this;
    for (let at = 0; at < bytes.byteLength; at += ENTRY_BYTES) {
      yield {
        id: copyOf(bytes.subarray(at, at + DIGEST_BYTES)),
        offset: view.getUint32(at + OFFSET_AT, true),
        storedBytes: view.getUint32(at + STORED_BYTES_AT, true),
        plainBytes: view.getUint32(at + PLAIN_BYTES_AT, true),
        codec: view.getUint8(at + CODEC_AT),
      };
    }
  }
}
