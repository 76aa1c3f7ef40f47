import { copyOf } from "@ovault/contract";

/**
 * The same bytes in memory without other references, fit for a transfer to another thread. A buffer that consists of
 * just these bytes is moved and left empty; a part of a larger buffer is copied, and so is shared memory.
 */
export function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = bytes;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== byteLength) return copyOf(bytes);
  return new Uint8Array(buffer.transfer());
}
