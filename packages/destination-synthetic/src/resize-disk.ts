import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";

import { isZero, type ObjectKey } from "@ovault/contract";

import { BlockSums, SUM_BLOCK_BYTES } from "./block-sums.ts";
import { proveBlock } from "./prove-block.ts";
import { readFully } from "./read-fully.ts";

/** The image that the disk is a clone of. */
export interface ClonedImage {
  readonly key: ObjectKey;
  readonly sums: BlockSums;
}

/**
 * Cuts or extends the disk of a draft. Answers its checksums.
 * @throws IntegrityError when the clone's last block, which gets another length, is damaged
 */
export async function resizeDisk(handle: FileHandle, logicalBytes: number, clone?: ClonedImage): Promise<BlockSums> {
  if (clone === undefined) {
    await handle.truncate(logicalBytes);
    return BlockSums.ofZeros(logicalBytes);
  }
  const { key, sums } = clone;
  if (logicalBytes === sums.logicalBytes) return sums;
  const resized = sums.resized(logicalBytes);
  const end = Math.min(logicalBytes, sums.logicalBytes);
  const block = Math.floor(end / SUM_BLOCK_BYTES);
  const cutsBlock = end % SUM_BLOCK_BYTES > 0;
  if (cutsBlock) await proveBlock({ key, handle, sums, block });
  await handle.truncate(logicalBytes);
  if (cutsBlock) {
    const bytes = Buffer.allocUnsafe(resized.lengthOf(block));
    await readFully(handle, bytes, { key, offset: block * SUM_BLOCK_BYTES });
    if (isZero(bytes)) resized.setZero(block);
    else resized.setData(block, crc32(bytes));
  }
  return resized;
}
