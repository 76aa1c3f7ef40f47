import { open } from "node:fs/promises";

import { HypervisorError } from "./errors.ts";

/** `QFI\xfb`, which every qcow2 file begins with. */
const QCOW2_MAGIC = 0x51_46_49_fb;
/** Where its header tells the size, as a big-endian number of 64 bits. */
const SIZE_OFFSET = 24;
const SECTOR_BYTES = 512;

/**
 * Bytes that the guest sees of a volume file. Read from the file itself, also while a QEMU process has it: the inventory
 * asks far too often to run `qemu-img info` each time.
 * @throws HypervisorError for a file that is no qcow2 and should be
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
