/**
 * Gives the memory of bytes back at once, and leaves them empty. Blocks live outside V8's heap, and V8 answers so much of
 * that by collecting garbage again and again: with blocks of 1 MiB that took more time than decoding and proving them.
 *
 * Only for bytes that nobody else refers to, after everything that works on them has settled well: what was aborted may
 * still be at work below. A part of a larger buffer is left alone.
 */
export function release({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && byteLength > 0) buffer.transfer(0);
}
