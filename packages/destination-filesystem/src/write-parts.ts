import type { FileHandle } from "node:fs/promises";

/** Bytes between two checks of the signal. */
const BATCH_BYTES = 8 * 1024 * 1024;
/** IOV_MAX of Linux. */
const BATCH_PIECES = 1024;

/** Appends the parts to a file in order, without copying them. */
export async function writeParts(handle: FileHandle, parts: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
  for (const batch of batches(parts)) {
    signal.throwIfAborted();
    let rest = batch;
    while (rest.length > 0) {
      // A short write when the disk is almost full; the next call then fails.
      const { bytesWritten } = await handle.writev(rest);
      rest = withoutFirst(rest, bytesWritten);
    }
  }
}

function* batches(parts: readonly Uint8Array[]): Generator<Uint8Array[]> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    for (let offset = 0; offset < part.length;) {
      const piece = part.subarray(offset, offset + BATCH_BYTES - bytes);
      batch.push(piece);
      bytes += piece.length;
      offset += piece.length;
      if (bytes === BATCH_BYTES || batch.length === BATCH_PIECES) {
        yield batch;
        batch = [];
        bytes = 0;
      }
    }
  }
  if (batch.length > 0) yield batch;
}

function withoutFirst(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes;
  return pieces.flatMap((piece) => {
    const from = Math.min(skip, piece.length);
    skip -= from;
    return from === piece.length ? [] : [piece.subarray(from)];
  });
}
