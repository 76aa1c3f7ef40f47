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
} from "@ovault/contract";

import { EXIT, type ExitCode } from "./exit.ts";

type ErrorClass = abstract new (...args: never[]) => Error;

/** By class and not by code, so that a new error kind below one of these already has an exit code. */
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

/**
 * Errors whose class is not available here: from a package above core, or from a lab's process. By families of codes.
 */
const BY_CODE: ReadonlyMap<string, ExitCode> = new Map([
  ["E_USAGE", EXIT.usage],
  ["E_CONFIGURATION", EXIT.usage],
  ["E_NOT_FOUND", EXIT.usage],
  ["E_COMMAND", EXIT.manager],
  ["E_SSH", EXIT.manager],
  ["E_LAB", EXIT.manager],
  ["E_IMAGE_FILE", EXIT.destination],
]);

/** The exit code for an error. */
export function exitCodeOf(error: unknown): ExitCode {
  const byClass = BY_CLASS.find(([kind]) => error instanceof kind)?.[1];
  const byCode = error instanceof OvaultError ? exitCodeOfFamily(error.code) : undefined;
  return byClass ?? byCode ?? EXIT.internal;
}

/**
 * The exit code of a command that did the same to several things, by the error of each (undefined: success): that of
 * the failures when all failed for the same kind of reason, `partial` when only some did, or kinds differ.
 */
export function exitCodeOfAll(errors: readonly unknown[]): ExitCode {
  const codes = new Set(errors.map((error) => (error === undefined ? EXIT.ok : exitCodeOf(error))));
  const [code = EXIT.ok] = codes;
  return codes.size > 1 ? EXIT.partial : code;
}

/** `E_SSH_LOGIN` is of the family `E_SSH`. */
function exitCodeOfFamily(code: string): ExitCode | undefined {
  for (let family = code; family.includes("_"); family = family.slice(0, family.lastIndexOf("_"))) {
    const exitCode = BY_CODE.get(family);
    if (exitCode !== undefined) return exitCode;
  }
  return undefined;
}
