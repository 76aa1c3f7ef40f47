import { decodeLz4, encodeLz4 } from "../encodings/lz4-block.ts";
import { decodePlain } from "../encodings/plain-block.ts";
import { decodeZstandard, encodeZstandard } from "../encodings/zstandard-block.ts";
import { digestBlock } from "../digests/digest-block.ts";
import { seal, unseal } from "../aes-gcm.ts";
import { copyOf, IntegrityError } from "@ovault/contract";
import { release } from "../../util/release.ts";
import { Scratch } from "../../util/scratch.ts";
import type { BlockJob, BlockResults, CodecMethod, PackedChunk, UnpackedChunk, UnpackJob } from "./block-job.ts";

const scratch = new Scratch();

/** Does a job on this thread, synchronously. Nothing else refers to the memory of the result. */
export function doBlockJob(job: BlockJob): BlockResults[BlockJob["task"]] {
  switch (job.task) {
    case "digest":
      return digestBlock(job.digest, job.plain);
    case "encode":
      return encode(job.codec, job.plain);
    case "decode": {
      const plain = new Uint8Array(job.plainBytes);
      decode(job.codec, job.stored, plain);
      return plain;
    }
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

function unpack({ stored, sealKey, digest, keepPlain }: UnpackJob, chunk: PackedChunk): UnpackedChunk {
  const part = stored.subarray(chunk.at, chunk.at + chunk.storedBytes);
  const encoded = sealKey === undefined ? part : unseal(sealKey, chunk.context, part);
  if (encoded === undefined) return { outcome: "sealed" };
  const kept = keepPlain && chunk.into === undefined ? new Uint8Array(chunk.plainBytes) : undefined;
  const plain = chunk.into ?? kept ?? scratch.take(chunk.plainBytes);
  try {
    decode(chunk.codec, encoded, plain);
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    return { outcome: "encoded", reason: error.message };
  }
  if (encoded !== part) release(encoded);
  return { outcome: "plain", id: digestBlock(digest, plain), plain: kept };
}

function encode(codec: CodecMethod, plain: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  switch (codec.name) {
    case "none":
      return undefined;
    case "lz4":
      return encodeLz4(plain);
    case "zstd":
      return encodeZstandard(plain, codec.level);
  }
}

/** Fills `plain`, which has the length from the index. */
function decode({ name }: CodecMethod, stored: Uint8Array, plain: Uint8Array): void {
  switch (name) {
    case "none":
      return decodePlain(stored, plain);
    case "lz4":
      return decodeLz4(stored, plain);
    case "zstd":
      return decodeZstandard(stored, plain);
  }
}

/** Copies bytes that native code has allocated, whose memory must not outlive its thread, and frees them. */
function takenOut(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = copyOf(bytes);
  release(bytes);
  return copy;
}
