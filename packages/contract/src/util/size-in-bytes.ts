const SUFFIXES = "KMGT";

/**
 * A size as people write it: bytes, or with suffix K, M, G, T (powers of 1024; `KiB` and `KB` mean the same). Undefined
 * for anything else, and for fractions of a byte.
 */
export function sizeInBytes(written: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([KMGT])(?:i?B)?|B)?$/i.exec(written.trim());
  const [, amount, suffix] = match ?? [];
  const power = suffix === undefined ? 0 : SUFFIXES.indexOf(suffix.toUpperCase()) + 1;
  const bytes = Number(amount) * 1024 ** power;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
