import { ManagerError, type ErrorCode } from "@ovault/contract";

/** A data center has no export domain that can be used: it is missing, not active, or another one. */
export class ExportDomainError extends ManagerError {
  static override readonly code: ErrorCode = "E_EXPORT_DOMAIN";
}

/** The folder that hosts mount as the export domain cannot be used by this node. */
export class StagingError extends ManagerError {
  static override readonly code: ErrorCode = "E_STAGING";
}

/** What hosts write into the folder belongs to a user that it should not, or cannot be read and removed here. */
export class StagingOwnerError extends StagingError {
  static override readonly code: ErrorCode = "E_STAGING_OWNER";
}

/** The engine gave up on the clone of a snapshot, on its export, or on an import. */
export class ExportFailedError extends ManagerError {
  static override readonly code: ErrorCode = "E_EXPORT_FAILED";
}
