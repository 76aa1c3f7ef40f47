import { IntegrityError } from "../errors/errors.ts";

/** The same bytes. @throws IntegrityError unless there are exactly so many */
export function decodePlain(stored: Uint8Array, plainBytes: number): Uint8Array {
  if (stored.byteLength === plainBytes) return stored;
  throw new IntegrityError("a plain chunk has another length than the index says", { context: { plainBytes } });
}
