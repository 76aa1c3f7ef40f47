const FACTOR = 1.5;

/** `array` if it has this many elements, or else a longer copy of it, with room to grow into. */
export function grown<T extends Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(array: T, length: number): T;
export function grown(array: Uint8Array | Uint32Array, length: number): Uint8Array | Uint32Array {
  if (length <= array.length) return array;
  const room = Math.max(length, Math.ceil(array.length * FACTOR));
  const longer = array instanceof Uint32Array ? new Uint32Array(room) : new Uint8Array(room);
  longer.set(array);
  return longer;
}
