import { ManagerError, type ErrorCode } from "@ovault/contract";

import type { OpenTransfer } from "../../transfer/open-transfers.ts";
import type { MadeDisk } from "../disks/make-disk.ts";

/** An upload is of the file of a QCOW2 disk: what a guest sees would be written over its header. */
export class FileUploadError extends ManagerError {
  static override readonly code: ErrorCode = "E_FILE_UPLOAD";
}

/** How a QCOW2 file begins. A new disk seen as its guest sees it begins with zeros. */
const MAGIC = "QFI\u00fb";

/**
 * Engines before late 4.3 give the file of a disk, whatever is asked for, and do not say so; others do not echo the format
 * everywhere. So where the answer does not tell, the disk itself is looked at before anything is written.
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
