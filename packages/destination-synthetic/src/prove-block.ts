import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";

import { IntegrityError, isZero, type ObjectKey } from "@ovault/contract";

import { type BlockSums, SUM_BLOCK_BYTES } from "./block-sums.ts";
import { readFully } from "./read-fully.ts";

export interface BlockInFile {
  readonly key: ObjectKey;
  readonly handle: FileHandle;
  readonly sums: BlockSums;
  readonly block: number;
}

/** Reads a block of a disk. @throws IntegrityError when it is not what was written */
export async function proveBlock({ key, handle, sums, block }: BlockInFile): Promise<void> {
  const bytes = Buffer.allocUnsafe(sums.lengthOf(block));
  await readFully(handle, bytes, { key, offset: block * SUM_BLOCK_BYTES });
  if (sums.isData(block)) assertIntact(key, sums, block, bytes);
  else if (!isZero(bytes)) throw damaged(key, block);
}

/** @throws IntegrityError when these are not the bytes of the block */
export function assertIntact(key: ObjectKey, sums: BlockSums, block: number, bytes: Uint8Array): void {
  if (crc32(bytes) !== sums.sumOf(block)) throw damaged(key, block);
}

function damaged(key: ObjectKey, block: number): IntegrityError {
  const offset = block * SUM_BLOCK_BYTES;
  return new IntegrityError(`image ${key} is damaged at byte ${offset}: its checksum differs`, {
    context: { key, offset },
    hint: "The disk of the destination gave other bytes than were written: see the kernel log.",
  });
}
