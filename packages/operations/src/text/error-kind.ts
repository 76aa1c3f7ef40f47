import {
  CancelledError,
  EncryptionKeyError,
  IntegrityError,
  LeaseHeldError,
  LeaseLostError,
  LedgerError,
  ManagerError,
  MissingLibraryError,
  NotARepositoryError,
  OvaultError,
  PluginError,
  RepositoryVersionError,
  SourceError,
  StoreError,
  UsageError,
} from "@ovault/contract";

/** Where the reason of an error lies. Exit codes follow it. `internal`: a fault in ovault. */
export type ErrorKind = "internal" | "usage" | "manager" | "destination" | "integrity" | "busy" | "cancelled";

type ErrorClass = abstract new (...args: never[]) => Error;

/** By class and not by code, so that a new error kind below one of these already has a kind. */
const BY_CLASS: readonly (readonly [ErrorClass, ErrorKind])[] = [
  [CancelledError, "cancelled"],
  [UsageError, "usage"],
  [PluginError, "usage"],
  [MissingLibraryError, "usage"],
  [LedgerError, "usage"],
  [LeaseHeldError, "busy"],
  [LeaseLostError, "busy"],
  [IntegrityError, "integrity"],
  [StoreError, "destination"],
  [NotARepositoryError, "destination"],
  [RepositoryVersionError, "destination"],
  [EncryptionKeyError, "destination"],
  [ManagerError, "manager"],
  [SourceError, "manager"],
];

/**
 * Errors whose class is not available here: from a package above core, or from a lab's process. By families of codes.
 */
const BY_CODE: ReadonlyMap<string, ErrorKind> = new Map([
  ["E_USAGE", "usage"],
  ["E_CONFIGURATION", "usage"],
  ["E_NOT_FOUND", "usage"],
  ["E_COMMAND", "manager"],
  ["E_SSH", "manager"],
  ["E_NFS", "manager"],
  ["E_LAB", "manager"],
  ["E_IMAGE_FILE", "destination"],
]);

export function errorKind(error: unknown): ErrorKind {
  if (isAbort(error)) return "cancelled";
  const byClass = BY_CLASS.find(([kind]) => error instanceof kind)?.[1];
  const byCode = error instanceof OvaultError ? kindOfFamily(error.code) : undefined;
  return byClass ?? byCode ?? "internal";
}

/** What an aborted signal throws that has no reason of its own, and what calls of Node.js throw for any reason. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** `E_SSH_LOGIN` is of the family `E_SSH`. */
function kindOfFamily(code: string): ErrorKind | undefined {
  for (let family = code; family.includes("_"); family = family.slice(0, family.lastIndexOf("_"))) {
    const kind = BY_CODE.get(family);
    if (kind !== undefined) return kind;
  }
  return undefined;
}
