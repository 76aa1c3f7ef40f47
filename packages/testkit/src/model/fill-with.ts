/** Deterministic content; runs of one value, so that blocks repeat and compress. Seed 0 gives zeros. */
export function fillWith(bytes: Uint8Array, seed: number): void {
  for (let at = 0; at < bytes.byteLength; at += 1) bytes[at] = seed === 0 ? 0 : (seed * 37 + (at >> 9)) & 0xff;
}
