import { AuthenticationError, CertificateError } from "@ovault/contract";

import {
  EngineConflictError,
  EngineFaultError,
  EnginePermissionError,
  EngineUnavailableError,
  EntityNotFoundError,
} from "./errors.ts";

/**
 * True when a failed creation request certainly changed nothing on the engine. False when the engine may have executed
 * it without an answer: then look for what it would have made. The engine client does not interrupt such requests, so a
 * cancelled one was never sent.
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
