import { SourceError, type ErrorCode } from "@ovault/contract";

/** The files of a storage domain are not what vdsm writes: damaged, cut short, or malicious. */
export class StorageDomainError extends SourceError {
  static override readonly code: ErrorCode = "E_STORAGE_DOMAIN";
}
