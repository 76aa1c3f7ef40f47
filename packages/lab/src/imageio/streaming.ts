import type { IncomingMessage, ServerResponse } from "node:http";

import type { Backend } from "./backend.ts";
import { ImageioError } from "./errors.ts";

/** Bytes of one piece; the next one is read while the last one is sent. */
const PIECE_BYTES = 1024 * 1024;

export interface SendRange {
  readonly first: number;
  readonly length: number;
  /** Bytes after which to break off; `length` for all of them. */
  readonly cutAfter: number;
}

/**
 * Sends a range of a backend as the body of an answer. `begin` writes the headers once the first bytes have arrived, so
 * that an immediate failure of the backend still gets a proper answer. Rejects when it fails later, or the client
 * disconnects.
 */
export async function sendFrom(
  backend: Backend,
  range: SendRange,
  response: ServerResponse,
  begin: () => void,
  signal: AbortSignal,
): Promise<void> {
  const pieces = readPieces(backend, range, signal);
  const first = await pieces.next();
  begin();
  const gone = new Promise<never>((_, reject) => {
    response.once("close", () => reject(new ImageioError("the client has gone")));
  });
  gone.catch(() => undefined); // not awaited after a successful end
  for (let piece = first; piece.done !== true; piece = await pieces.next()) {
    const { value } = piece;
    const sent = new Promise<void>((resolve) => response.write(value, () => resolve()));
    await Promise.race([sent, gone]);
  }
  response.end();
}

/** Writes the body of a request to a backend and returns its length, which is short when the client disconnects. */
export async function receiveInto(
  backend: Backend,
  offset: number,
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<number> {
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let filled = 0;
  let written = 0;
  const writePiece = async (): Promise<void> => {
    await backend.write(offset + written, piece.subarray(0, filled), signal);
    written += filled;
    filled = 0;
  };
  for await (const chunk of untilGone(request)) {
    for (let taken = 0; taken < chunk.length;) {
      const copied = chunk.copy(piece, filled, taken);
      filled += copied;
      taken += copied;
      if (filled === piece.length) await writePiece();
    }
  }
  if (filled > 0) await writePiece();
  return written;
}

/** Reads one piece ahead, into two alternating buffers: a piece is valid until the next but one is requested. */
async function* readPieces(
  backend: Backend,
  { first, length, cutAfter }: SendRange,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const bufferBytes = Math.min(PIECE_BYTES, cutAfter);
  let [free, taken] = [Buffer.allocUnsafe(bufferBytes), Buffer.allocUnsafe(bufferBytes)];
  const read = async (at: number): Promise<Buffer | undefined> => {
    if (at >= cutAfter) return undefined;
    [free, taken] = [taken, free];
    const piece = taken.subarray(0, cutAfter - at);
    await backend.readInto(first + at, piece, signal);
    return piece;
  };
  let sent = 0;
  let next = read(sent);
  for (let piece = await next; piece !== undefined; piece = await next) {
    sent += piece.length;
    next = read(sent);
    next.catch(() => undefined); // thrown where it is awaited
    yield piece;
  }
  if (cutAfter < length) throw new ImageioError("a fault was switched on: the transfer is cut");
}

/** The bytes that a client sends until it ends or disconnects. */
async function* untilGone(request: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of request) yield chunk;
  } catch (error) {
    if (!request.destroyed) throw error;
  }
}
