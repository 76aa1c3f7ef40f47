import { ManagerError, type ErrorCode } from "@ovault/contract";

import type { OpenTransfer } from "../../transfer/open-transfers.ts";
import type { MadeDisk } from "../disks/make-disk.ts";

/** The engine takes the upload as the file of a QCOW2 disk: guest data would overwrite its header. */
export class FileUploadError extends ManagerError {
  static override readonly code: ErrorCode = "E_FILE_UPLOAD";
}

/** The first bytes of a QCOW2 file. A new disk read as guest data begins with zeros. */
const MAGIC = "QFI\u00fb";

/**
 * Engines before late 4.3 transfer the file of a disk whatever was requested, without saying so; some others do not
 * echo the format. Where the answer does not say, this reads the disk before anything is written.
 *
 * @throws FileUploadError before anything is written
 */
export async function assertGuestData(
  { transfer, client }: OpenTransfer,
  { record, layout }: MadeDisk,
  signal: AbortSignal,
): Promise<void> {
  if (layout.format === "raw" || transfer.echoesRaw) return;
  const start = Buffer.alloc(MAGIC.length);
  await client.readInto(0, start, signal);
  if (start.toString("latin1") !== MAGIC) return;
  throw new FileUploadError(`this engine takes uploads to disk ${record.disk.alias} as the bytes of its file`);
}
