import { IntegrityError, type ObjectKey, ObjectNotFoundError } from "@ovault/contract";

/** The contract's limit; a larger file is not an object. */
const LARGEST_OBJECT_BYTES = 128 * 1024 * 1024;

/** A range of an object, to be read in full. */
export interface ExactRead {
  readonly key: ObjectKey;
  readonly offset: number;
  readonly length: number;
}

/** @throws IntegrityError when no object has so many bytes */
export function assertObjectLength(key: ObjectKey, bytes: number): void {
  if (bytes <= LARGEST_OBJECT_BYTES) return;
  throw new IntegrityError(`${key} has ${bytes} bytes, more than any object`, { context: { key, bytes } });
}

export function endsEarly(key: ObjectKey, bytes: number, expected: number): IntegrityError {
  return new IntegrityError(`${key} ends at byte ${bytes}, expected ${expected} or more`, {
    context: { key, bytes, expected },
  });
}

export function notFound(key: ObjectKey, cause?: unknown): ObjectNotFoundError {
  return new ObjectNotFoundError(`no object ${key}`, { cause, context: { key } });
}
