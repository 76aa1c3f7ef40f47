/**
 * Frees the memory of bytes at once and leaves them empty. Blocks live outside V8's heap, and large external
 * allocations trigger frequent V8 garbage collections: with blocks of 1 MiB those took more time than decoding and
 * proving them.
 *
 * Only for bytes without other references, after everything that works on them has succeeded: aborted work may still be
 * using them. A part of a larger buffer is left alone.
 */
export function release({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && byteLength > 0) buffer.transfer(0);
}
