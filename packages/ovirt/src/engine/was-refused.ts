import { AuthenticationError, CertificateError } from "@ovault/contract";

import {
  EngineConflictError,
  EngineFaultError,
  EnginePermissionError,
  EngineUnavailableError,
  EntityNotFoundError,
} from "./errors.ts";

/**
 * True when a failed request to make something certainly changed nothing on the engine. False when it may have been
 * carried out although no answer came: then what it would have made must be looked for. The engine client does not
 * interrupt such requests, so that one that was cancelled was never sent.
 */
export function wasRefused(error: unknown, signal: AbortSignal): boolean {
  if (signal.aborted && error === signal.reason) return true;
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
