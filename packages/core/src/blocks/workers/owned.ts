import { copyOf } from "@ovault/contract";

/**
 * The same bytes in memory that nothing else refers to, fit to be given to another thread. Who has the memory to itself
 * loses it, and is empty afterwards; a part of something larger is copied, and so is shared memory.
 */
export function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = bytes;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== byteLength) return copyOf(bytes);
  return new Uint8Array(buffer.transfer());
}
