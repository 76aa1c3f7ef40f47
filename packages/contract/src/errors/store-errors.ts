import type { ErrorCode } from "./error-code.ts";
import { OvaultError } from "./ovault-error.ts";

/** An object store failed. Drivers throw these and nothing else; wrappers decide about retries from `retry`. */
export class StoreError extends OvaultError {
  static override readonly code: ErrorCode = "E_STORE";
}

/** No object under this key. */
export class ObjectNotFoundError extends StoreError {
  static override readonly code: ErrorCode = "E_OBJECT_NOT_FOUND";
}

/** The place that should hold the objects does not exist (directory not mounted, bucket missing). */
export class DestinationMissingError extends StoreError {
  static override readonly code: ErrorCode = "E_DESTINATION_MISSING";
}

/** No space or quota left. */
export class StoreFullError extends StoreError {
  static override readonly code: ErrorCode = "E_STORE_FULL";
}

/** The store refuses writes. */
export class StoreReadOnlyError extends StoreError {
  static override readonly code: ErrorCode = "E_STORE_READ_ONLY";
}

/** The store refuses this user. */
export class StorePermissionError extends StoreError {
  static override readonly code: ErrorCode = "E_STORE_PERMISSION";
}

/** The store does not answer now; the same call may succeed later. */
export class StoreUnavailableError extends StoreError {
  static override readonly code: ErrorCode = "E_STORE_UNAVAILABLE";
}

/**
 * The store answers, but its medium fails under this object (EIO): a bad sector. Core retries for seconds only, since
 * waiting does not repair it.
 */
export class StoreMediumError extends StoreUnavailableError {
  static override readonly code: ErrorCode = "E_STORE_MEDIUM";
}
