/**
 * The codes of the errors in this package, which are those that core raises.
 * @since 0.2.0
 */
export type KnownErrorCode =
  | "E_INTERNAL"
  | "E_USAGE"
  | "E_CONFIGURATION"
  | "E_NOT_FOUND"
  | "E_PLUGIN"
  | "E_CANCELLED"
  | "E_LEASE_HELD"
  | "E_LEASE_LOST"
  | "E_INTEGRITY"
  | "E_INTEGRITY_CODEC"
  | "E_NOT_A_REPOSITORY"
  | "E_REPOSITORY_VERSION"
  | "E_KEY"
  | "E_KEY_MISSING"
  | "E_KEY_WRONG"
  | "E_KEY_NOT_ENCRYPTED"
  | "E_WORKER"
  | "E_MISSING_LIBRARY"
  | "E_SOURCE"
  | "E_MANAGER"
  | "E_MANAGER_UNAVAILABLE"
  | "E_AUTHENTICATION"
  | "E_CERTIFICATE"
  | "E_DEADLINE"
  | "E_QUIESCE"
  | "E_LEDGER"
  | "E_STORE"
  | "E_OBJECT_NOT_FOUND"
  | "E_DESTINATION_MISSING"
  | "E_STORE_FULL"
  | "E_STORE_READ_ONLY"
  | "E_STORE_PERMISSION"
  | "E_STORE_UNAVAILABLE"
  | "E_STORE_MEDIUM";

/**
 * What identifies a kind of error in scripts, exit codes and logs. Plugins have codes of their own.
 * @since 0.2.0
 */
export type ErrorCode = KnownErrorCode | (`E_${string}` & {});
