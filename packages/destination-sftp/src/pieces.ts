/**
 * Bytes of one request, and concurrent requests: together the window that SSH servers grant a channel (2 MiB), so that
 * the link is full and nothing piles up in memory. ssh2 splits requests for servers that take less.
 */
export const PIECE_BYTES = 128 * 1024;
export const PIECES_UNDER_WAY = 16;

export interface Piece {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** The parts, joined and cut into pieces of equal size except the last. Does not copy a piece that lies in one part. */
export function* pieces(parts: readonly Uint8Array[]): Generator<Piece, void> {
  let offset = 0;
  let slices: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    for (let from = 0; from < part.length;) {
      const slice = part.subarray(from, from + PIECE_BYTES - bytes);
      slices.push(slice);
      bytes += slice.length;
      from += slice.length;
      if (bytes < PIECE_BYTES) continue;
      yield { offset, bytes: joined(slices) };
      offset += bytes;
      slices = [];
      bytes = 0;
    }
  }
  if (bytes > 0) yield { offset, bytes: joined(slices) };
}

function joined(slices: readonly Uint8Array[]): Buffer {
  const [only, ...more] = slices;
  if (only === undefined || more.length > 0) return Buffer.concat(slices);
  return Buffer.from(only.buffer, only.byteOffset, only.byteLength);
}

/** Cuts the range that fills a buffer. */
export function* spans(length: number): Generator<{ readonly from: number; readonly to: number }, void> {
  for (let from = 0; from < length; from += PIECE_BYTES) yield { from, to: Math.min(length, from + PIECE_BYTES) };
}
