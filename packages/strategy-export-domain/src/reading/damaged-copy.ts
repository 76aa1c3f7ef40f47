import { SourceError } from "@ovault/contract";
import { StorageDomainError } from "@ovault/storage-domain";

/** Names the disk whose exported files are not what a host writes. Other errors stay what they are. */
export function damagedCopy(alias: string, error: unknown): unknown {
  if (!(error instanceof SourceError)) return error;
  return new StorageDomainError(`the export of disk ${alias} cannot be read: ${error.message}`, {
    cause: error,
    context: error.context,
    hint: "Run the backup again: nothing of this export is kept. If it fails again, look at the disk of the staging folder.",
  });
}
