import { createHmac, hash, type KeyObject } from "node:crypto";

import { decodeLz4, encodeLz4 } from "../codecs/lz4-block.ts";
import { decodePlain } from "../codecs/plain-block.ts";
import { decodeZstandard, encodeZstandard } from "../codecs/zstandard-block.ts";
import { seal, unseal } from "../encryption/aes-gcm.ts";
import { hasCode } from "../errors/ovault-error.ts";
import { copyOf } from "../util/copy-of.ts";
import { release } from "../util/release.ts";
import type { BlockJob, BlockResults, CodecMethod, PackedChunk, UnpackedChunk, UnpackJob } from "./block-job.ts";

/** Does a job on this thread, at once. Nothing else refers to the memory of the result. */
export function doBlockJob(job: BlockJob): BlockResults[BlockJob["task"]] {
  switch (job.task) {
    case "digest":
      return digestOf(job.plain, job.key);
    case "encode": {
      const encoded = encode(job.codec, job.plain);
      return encoded && takenOut(encoded);
    }
    case "decode":
      return takenOut(decode(job.codec, job.stored, job.plainBytes));
    case "seal":
      return seal(job.key, job.context, job.plain);
    case "open": {
      const plain = unseal(job.key, job.context, job.sealed);
      return plain && takenOut(plain);
    }
    case "unpack":
      return job.chunks.map((chunk) => unpack(job, chunk));
  }
}

function unpack({ stored, sealKey, digestKey, keepPlain }: UnpackJob, chunk: PackedChunk): UnpackedChunk {
  const part = stored.subarray(chunk.at, chunk.at + chunk.storedBytes);
  const encoded = sealKey === undefined ? part : unseal(sealKey, chunk.context, part);
  if (encoded === undefined) return { outcome: "sealed" };
  let plain: Uint8Array;
  try {
    plain = decode(chunk.codec, encoded, chunk.plainBytes);
  } catch (error) {
    if (!hasCode(error, "E_INTEGRITY")) throw error;
    return { outcome: "encoded", reason: error.message };
  }
  const id = digestOf(plain, digestKey);
  const kept = keepPlain ? copyOf(plain) : undefined;
  for (const bytes of [encoded, plain]) if (bytes.buffer !== stored.buffer) release(bytes);
  return { outcome: "plain", id, plain: kept };
}

function digestOf(plain: Uint8Array, key: KeyObject | undefined): Uint8Array<ArrayBuffer> {
  return copyOf(key === undefined ? hash("sha256", plain, "buffer") : createHmac("sha256", key).update(plain).digest());
}

function encode(codec: CodecMethod, plain: Uint8Array): Uint8Array | undefined {
  if (codec.name === "none") return undefined;
  const encoded = codec.name === "zstd" ? encodeZstandard(plain, codec.level) : encodeLz4(plain);
  return encoded.byteLength < plain.byteLength ? encoded : undefined;
}

function decode({ name }: CodecMethod, stored: Uint8Array, plainBytes: number): Uint8Array {
  if (name === "none") return decodePlain(stored, plainBytes);
  return name === "lz4" ? decodeLz4(stored, plainBytes) : decodeZstandard(stored, plainBytes);
}

/** Copied, because memory that native code has allocated must not outlive its thread, and given back. */
function takenOut(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = copyOf(bytes);
  release(bytes);
  return copy;
}
