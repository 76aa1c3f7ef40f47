import { AuthenticationError, CertificateError } from "@ovault/core";

import {
  EngineConflictError,
  EngineFaultError,
  EnginePermissionError,
  EngineUnavailableError,
  EntityNotFoundError,
} from "./errors.ts";

/**
 * True when a failed request certainly changed nothing on the engine. False when it may have been carried out although no
 * answer came: then what it would have made must be looked for.
 */
export function wasRefused(error: unknown): boolean {
  if (error instanceof EngineUnavailableError) return !error.sent;
  return (
    error instanceof EngineFaultError ||
    error instanceof EngineConflictError ||
    error instanceof EnginePermissionError ||
    error instanceof EntityNotFoundError ||
    error instanceof AuthenticationError ||
    error instanceof CertificateError
  );
}
