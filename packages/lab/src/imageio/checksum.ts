import { execFile } from "node:child_process";
import { createHash } from "node:crypto";

import type { Backend } from "./backend.ts";
import { HttpRefusal, ImageioError } from "./errors.ts";

/** Those algorithms of a real daemon that exist on every machine, in its order. */
export const algorithms = [
  "blake2b",
  "md5",
  "sha1",
  "sha224",
  "sha256",
  "sha384",
  "sha3_224",
  "sha3_256",
  "sha3_384",
  "sha3_512",
  "sha512",
] as const;
export type Algorithm = (typeof algorithms)[number];

const DEFAULT_BLOCK_BYTES = 4 * 1024 * 1024;
const MIN_BLOCK_BYTES = DEFAULT_BLOCK_BYTES / 4;
const MAX_BLOCK_BYTES = DEFAULT_BLOCK_BYTES * 4;
/** Bits of the BLAKE2b digest. */
const BLAKE_BITS = "256";

/** @throws HttpRefusal 400, in the daemon's words */
export function parseBlockSize(written: string | null): number {
  if (written === null) return DEFAULT_BLOCK_BYTES;
  if (!/^\s*[+-]?\d+\s*$/.test(written)) throw new HttpRefusal(400, `Invalid block size: '${written}'`);
  const bytes = Number(written);
  if (bytes < MIN_BLOCK_BYTES || bytes > MAX_BLOCK_BYTES) {
    throw new HttpRefusal(400, `Block size out of allowed range: ${MIN_BLOCK_BYTES}-${MAX_BLOCK_BYTES}`);
  }
  if (bytes % 4096 !== 0) throw new HttpRefusal(400, "Block size is not aligned to 4096");
  return bytes;
}

/** The digest of the digests of all blocks, in hex. */
export async function checksumOf(
  backend: Backend,
  algorithm: Algorithm,
  blockBytes: number,
  signal: AbortSignal,
): Promise<string> {
  const digests: Buffer[] = [];
  for (let offset = 0; offset < backend.sizeBytes; offset += blockBytes) {
    const block = Buffer.alloc(Math.min(blockBytes, backend.sizeBytes - offset));
    await backend.readInto(offset, block, signal);
    digests.push(await digestOf(algorithm, block));
  }
  return (await digestOf(algorithm, Buffer.concat(digests))).toString("hex");
}

/** Node only has BLAKE2b of 512 bits, whose first 256 bits are a different digest; `b2sum` has both. */
async function digestOf(algorithm: Algorithm, data: Buffer): Promise<Buffer> {
  if (algorithm !== "blake2b") return createHash(algorithm.replace("_", "-")).update(data).digest();
  const output = await new Promise<string>((resolve, reject) => {
    const child = execFile("b2sum", ["--length", BLAKE_BITS], (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(new ImageioError("b2sum failed", { cause: error, hint: "It is part of GNU coreutils." }));
    });
    child.stdin?.on("error", () => undefined); // its exit says more
    child.stdin?.end(data);
  });
  return Buffer.from(output.split(" ")[0] ?? "", "hex");
}
