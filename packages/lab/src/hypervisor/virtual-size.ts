import { open } from "node:fs/promises";

import { HypervisorError } from "./errors.ts";

/** `QFI\xfb`, the first bytes of every qcow2 file. */
const QCOW2_MAGIC = 0x51_46_49_fb;
/** Offset of the size in the header, a big-endian number of 64 bits. */
const SIZE_OFFSET = 24;
const SECTOR_BYTES = 512;

/**
 * Size of a volume that the guest sees, from the file itself, also while a QEMU process has it: the inventory asks too
 * often to run `qemu-img info` each time.
 * @throws HypervisorError for a file that should be qcow2 and is not
 */
export async function readVirtualBytes(path: string, format: "qcow2" | "raw"): Promise<number> {
  await using file = await open(path);
  if (format === "raw") return Math.ceil((await file.stat()).size / SECTOR_BYTES) * SECTOR_BYTES;
  const header = Buffer.alloc(SIZE_OFFSET + 8);
  const { bytesRead } = await file.read(header, 0, header.length, 0);
  if (bytesRead < header.length || header.readUInt32BE(0) !== QCOW2_MAGIC) {
    throw new HypervisorError(`${path} is not a qcow2 file`, { context: { path } });
  }
  return Number(header.readBigUInt64BE(SIZE_OFFSET));
}
