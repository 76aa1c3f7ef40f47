/**
 * What `target.set(bytes, offset)` does. That one takes three times as long where the target is shared memory, as blocks are,
 * and twenty times as long where the two are not aligned alike: then it goes by single bytes (Node 24).
 */
export function copyInto(target: Uint8Array, bytes: Uint8Array, offset = 0): void {
  if (bytes.byteLength === 0) return;
  Buffer.from(target.buffer, target.byteOffset, target.byteLength).fill(bytes, offset, offset + bytes.byteLength);
}
