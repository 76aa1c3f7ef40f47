import { ManagerError, ManagerUnavailableError, type ErrorOptionsWithHint, type ErrorCode } from "@ovault/contract";

/** The engine understood a request and refused it (HTTP 400, 500, or an action that answered `failed`). */
export class EngineFaultError extends ManagerError {
  static override readonly code: ErrorCode = "E_ENGINE_FAULT";
}

/** The user may log in but not do this (HTTP 403). */
export class EnginePermissionError extends ManagerError {
  static override readonly code: ErrorCode = "E_ENGINE_PERMISSION";
}

/** What the request named does not exist on the engine, or does not exist any more (HTTP 404). */
export class EntityNotFoundError extends ManagerError {
  static override readonly code: ErrorCode = "E_ENTITY_NOT_FOUND";
}

/**
 * The engine refuses the request in the present state (HTTP 409): the entity is locked or in another state, longer than
 * we wait for that; or, with `retry: "never"`, for good (a name in use, delete protection).
 */
export class EngineConflictError extends ManagerError {
  static override readonly code: ErrorCode = "E_ENGINE_CONFLICT";
}

/** The answer is not valid for an oVirt engine: not XML, the wrong element, an invalid number, too large. */
export class EngineAnswerError extends ManagerError {
  static override readonly code: ErrorCode = "E_ENGINE_ANSWER";
}

/** An image without a size must not pass as empty, or as having an earlier size. */
export function withoutSize(diskId: string): EngineAnswerError {
  return new EngineAnswerError(`the engine does not tell the size of disk ${diskId}`, { context: { diskId } });
}

/**
 * No answer from the engine. `sent` is false when the engine certainly did not execute the request, so any request may
 * be repeated.
 */
export class EngineUnavailableError extends ManagerUnavailableError {
  static override readonly brand = "ovirt.EngineUnavailableError";
  readonly sent: boolean;

  constructor(message: string, options: ErrorOptionsWithHint & { readonly sent: boolean }) {
    super(message, { retry: "transient", ...options });
    this.sent = options.sent;
  }
}
