import { IntegrityError, copyInto } from "@ovault/contract";

/**
 * Fills `plain` with the same bytes.
 * @throws IntegrityError unless the lengths are equal
 */
export function decodePlain(stored: Uint8Array, plain: Uint8Array): void {
  assertPlainLength(stored, plain.byteLength);
  copyInto(plain, stored);
}

/** @throws IntegrityError unless the lengths are equal */
export function assertPlainLength(stored: Uint8Array, plainBytes: number): void {
  if (stored.byteLength === plainBytes) return;
  throw new IntegrityError("a plain chunk has another length than the index says", { context: { plainBytes } });
}
