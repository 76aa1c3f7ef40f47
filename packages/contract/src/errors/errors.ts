import type { ErrorCode } from "./error-code.ts";
import { OvaultError } from "./ovault-error.ts";

/** The user's input is wrong: an unknown name, a bad option, a file that does not parse. */
export class UsageError extends OvaultError {
  static override readonly code: ErrorCode = "E_USAGE";
}

/** The configuration file is missing, does not parse, or holds an unknown key. */
export class ConfigurationError extends UsageError {
  static override readonly code: ErrorCode = "E_CONFIGURATION";
}

/** Something named by the user does not exist: a virtual machine, a disk, a recovery point, a destination. */
export class NotFoundError extends UsageError {
  static override readonly code: ErrorCode = "E_NOT_FOUND";
}

/** A plugin could not be found, or speaks another version of the contracts. */
export class PluginError extends OvaultError {
  static override readonly code: ErrorCode = "E_PLUGIN";
}

/** The run was cancelled by its AbortSignal. Nothing half-finished remains visible. */
export class CancelledError extends OvaultError {
  static override readonly code: ErrorCode = "E_CANCELLED";
}

/** Another run holds the lease on this resource. */
export class LeaseHeldError extends OvaultError {
  static override readonly code: ErrorCode = "E_LEASE_HELD";
}

/** Another run has taken over this run's lease; this run must stop and seal nothing. */
export class LeaseLostError extends OvaultError {
  static override readonly code: ErrorCode = "E_LEASE_LOST";
}

/** Data read differs from data written: a flipped bit, a truncated object, a foreign object under the same key. */
export class IntegrityError extends OvaultError {
  static override readonly code: ErrorCode = "E_INTEGRITY";
}

/** A codec's output does not decode to its input: no point may rely on it. */
export class CodecError extends IntegrityError {
  static override readonly code: ErrorCode = "E_INTEGRITY_CODEC";
}

/** The destination holds no repository. */
export class NotARepositoryError extends OvaultError {
  static override readonly code: ErrorCode = "E_NOT_A_REPOSITORY";
}

/** The repository was written by a newer release. */
export class RepositoryVersionError extends OvaultError {
  static override readonly code: ErrorCode = "E_REPOSITORY_VERSION";
}

/** A problem with the key of a repository; nothing was read or written. */
export class EncryptionKeyError extends OvaultError {
  static override readonly code: ErrorCode = "E_KEY";
}

/** The repository is encrypted, and no key was given. */
export class KeyMissingError extends EncryptionKeyError {
  static override readonly code: ErrorCode = "E_KEY_MISSING";
}

/** The passphrase or key file does not open the repository. */
export class WrongKeyError extends EncryptionKeyError {
  static override readonly code: ErrorCode = "E_KEY_WRONG";
}

/** A key was given for a repository that is not encrypted: perhaps the wrong repository. */
export class NotEncryptedError extends EncryptionKeyError {
  static override readonly code: ErrorCode = "E_KEY_NOT_ENCRYPTED";
}

/** A worker thread of this process died, for example out of memory, and its work is lost. */
export class WorkerError extends OvaultError {
  static override readonly code: ErrorCode = "E_WORKER";
}

/** A library that ovault needs is not installed on this machine. */
export class MissingLibraryError extends OvaultError {
  static override readonly code: ErrorCode = "E_MISSING_LIBRARY";
}

/** A source broke its contract: short read, extents with gaps, a disk of another size than announced. */
export class SourceError extends OvaultError {
  static override readonly code: ErrorCode = "E_SOURCE";
}

/** The manager refused or could not do what was asked. */
export class ManagerError extends OvaultError {
  static override readonly code: ErrorCode = "E_MANAGER";
}

/** The manager does not answer. */
export class ManagerUnavailableError extends ManagerError {
  static override readonly code: ErrorCode = "E_MANAGER_UNAVAILABLE";
}

/** The manager refused the user name or password. */
export class AuthenticationError extends ManagerError {
  static override readonly code: ErrorCode = "E_AUTHENTICATION";
}

/** The certificate does not prove the identity of the peer. */
export class CertificateError extends ManagerError {
  static override readonly code: ErrorCode = "E_CERTIFICATE";
}

/** A wait on the manager passed its deadline. */
export class DeadlineError extends ManagerError {
  static override readonly code: ErrorCode = "E_DEADLINE";
}

/** The guest's file systems could not be quiesced, and the request requires it. */
export class QuiesceError extends ManagerError {
  static override readonly code: ErrorCode = "E_QUIESCE";
}

/** The ledger could not be read or written. Nothing may be made on a manager without a ledger entry. */
export class LedgerError extends OvaultError {
  static override readonly code: ErrorCode = "E_LEDGER";
}
