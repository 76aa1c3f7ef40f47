import { createCipheriv, createHash } from "node:crypto";

import type { NbdClient } from "@ovault/nbd";

import type { GuestWrite } from "./hypervisor.ts";

const CHUNK_BYTES = 4 * 1024 * 1024;
const AES_BLOCK_BYTES = 16;

/** Performs one write of a guest on its disk and flushes it. */
export async function performGuestWrite(disk: NbdClient, write: GuestWrite, signal: AbortSignal): Promise<void> {
  const { offset, length } = write;
  switch (write.kind) {
    case "zero":
      await disk.writeZeroes(offset, length, { mayTrim: false }, signal);
      break;
    case "discard":
      await disk.trim(offset, length, signal);
      break;
    case "pattern":
    case "random":
      for (let at = offset; at < offset + length; at += CHUNK_BYTES) {
        const chunk = Math.min(CHUNK_BYTES, offset + length - at);
        const bytes =
          write.kind === "pattern" ? Buffer.alloc(chunk, write.pattern) : randomBytesAt(write.seed, at, chunk);
        await disk.write(at, bytes, {}, signal);
      }
  }
  await disk.flush(signal);
}

/** Pseudo-random bytes that depend only on the seed and on their place on the disk. */
export function randomBytesAt(seed: string, offset: number, length: number): Buffer {
  const skip = offset % AES_BLOCK_BYTES;
  const counter = Buffer.alloc(AES_BLOCK_BYTES);
  counter.writeBigUInt64BE(BigInt((offset - skip) / AES_BLOCK_BYTES), 8);
  const key = createHash("sha256").update(seed).digest();
  return createCipheriv("aes-256-ctr", key, counter)
    .update(Buffer.alloc(skip + length))
    .subarray(skip);
}
