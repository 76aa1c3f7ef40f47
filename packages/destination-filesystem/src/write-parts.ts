import type { FileHandle } from "node:fs/promises";

/** After so many bytes the signal is looked at. */
const BATCH_BYTES = 8 * 1024 * 1024;
/** IOV_MAX of Linux. */
const BATCH_PIECES = 1024;

/** Appends the parts to a file, one after the other, without copying them. */
export async function writeParts(handle: FileHandle, parts: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
  for (const batch of batches(parts)) {
    signal.throwIfAborted();
    let rest = batch;
    while (rest.length > 0) {
      // Short when the disk is all but full; the next call then says so.
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
