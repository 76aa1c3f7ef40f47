import {
  CancelledError,
  EncryptionKeyError,
  IntegrityError,
  LeaseHeldError,
  LeaseLostError,
  ManagerError,
  MissingLibraryError,
  NotARepositoryError,
  PluginError,
  RepositoryVersionError,
  SourceError,
  StoreError,
  LedgerError,
  OvaultError,
  UsageError,
} from "@ovault/core";

import { EXIT, type ExitCode } from "./exit.ts";

type ErrorClass = abstract new (...args: never[]) => Error;

/** By class and not by code, so that an error kind added below one of these has its exit code already. */
const BY_CLASS: readonly (readonly [ErrorClass, ExitCode])[] = [
  [CancelledError, EXIT.cancelled],
  [UsageError, EXIT.usage],
  [PluginError, EXIT.usage],
  [MissingLibraryError, EXIT.usage],
  [LedgerError, EXIT.usage],
  [LeaseHeldError, EXIT.busy],
  [LeaseLostError, EXIT.busy],
  [IntegrityError, EXIT.integrity],
  [StoreError, EXIT.destination],
  [NotARepositoryError, EXIT.destination],
  [RepositoryVersionError, EXIT.destination],
  [EncryptionKeyError, EXIT.destination],
  [ManagerError, EXIT.manager],
  [SourceError, EXIT.manager],
];

/** Errors whose class is not known here: from a package above core, or from the process of a lab. */
const BY_CODE: ReadonlyMap<string, ExitCode> = new Map([
  ["E_USAGE", EXIT.usage],
  ["E_CONFIGURATION", EXIT.usage],
  ["E_NOT_FOUND", EXIT.usage],
  ["E_COMMAND", EXIT.manager],
  ["E_IMAGE_FILE", EXIT.destination],
  ["E_IMAGE_FILE_FULL", EXIT.destination],
]);

/** The exit code that an error ends the process with. */
export function exitCodeOf(error: unknown): ExitCode {
  const byClass = BY_CLASS.find(([kind]) => error instanceof kind)?.[1];
  const byCode = error instanceof OvaultError ? BY_CODE.get(error.code) : undefined;
  return byClass ?? byCode ?? EXIT.internal;
}
