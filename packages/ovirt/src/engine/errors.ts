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
 * Something does not allow the request now (HTTP 409): it is locked or in another state, beyond the time we wait for that;
 * or, with `retry: "never"`, it does not pass by itself (a name in use, delete protection).
 */
export class EngineConflictError extends ManagerError {
  static override readonly code: ErrorCode = "E_ENGINE_CONFLICT";
}

/** The answer is not what an oVirt engine says: not XML, the wrong element, a number that is none, too large. */
export class EngineAnswerError extends ManagerError {
  static override readonly code: ErrorCode = "E_ENGINE_ANSWER";
}

/** An image without a size must not pass as an empty one, or as one of the size it had some time ago. */
export function withoutSize(diskId: string): EngineAnswerError {
  return new EngineAnswerError(`the engine does not tell the size of disk ${diskId}`, { context: { diskId } });
}

/** No answer from the engine. `sent` is false when the request certainly was not carried out, so any may be repeated. */
export class EngineUnavailableError extends ManagerUnavailableError {
  static override readonly brand = "ovirt.EngineUnavailableError";
  readonly sent: boolean;

  constructor(message: string, options: ErrorOptionsWithHint & { readonly sent: boolean }) {
    super(message, { retry: "transient", ...options });
    this.sent = options.sent;
  }
}
