import { IntegrityError, type ObjectKey, ObjectNotFoundError } from "@ovault/contract";

/** A range of an object, to be read in full. */
export interface ExactRead {
  readonly key: ObjectKey;
  readonly offset: number;
  readonly length: number;
}

export function endsEarly(key: ObjectKey, bytes: number, expected: number): IntegrityError {
  return new IntegrityError(`${key} ends at byte ${bytes}, expected ${expected} or more`, {
    context: { key, bytes, expected },
  });
}

export function notFound(key: ObjectKey, cause?: unknown): ObjectNotFoundError {
  return new ObjectNotFoundError(`no object ${key}`, { cause, context: { key } });
}
