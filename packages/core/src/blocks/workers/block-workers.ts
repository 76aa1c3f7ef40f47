import type { KeyObject } from "node:crypto";

import type { ChunkDigest } from "../digests/chunk-digest.ts";
import type { SealContext } from "../aes-gcm.ts";
import { copyOf } from "@ovault/contract";
import type { BlockJob, BlockResults, CodecMethod, UnpackJob } from "./block-job.ts";
import { owned } from "./owned.ts";
import { WorkerPool } from "./worker-pool.ts";

/** Sources run without a build; published packages are built. */
const program = new URL(import.meta.url.endsWith(".ts") ? "block-worker.ts" : "block-worker.js", import.meta.url);

/** This process's threads for heavy work on blocks, shared by all repositories. */
const pool = new WorkerPool<BlockJob>(program);

/** `plain` must not change until this resolves. */
export function digestInWorker(digest: ChunkDigest, plain: Uint8Array): Promise<BlockResults["digest"]> {
  const bytes = lent(plain);
  return run({ task: "digest", plain: bytes, digest }, bytes);
}

/** Undefined when the result would not be shorter. `plain` must not change until this resolves. */
export function encodeInWorker(codec: CodecMethod, plain: Uint8Array): Promise<BlockResults["encode"]> {
  const bytes = lent(plain);
  return run({ task: "encode", codec, plain: bytes }, bytes);
}

/** @throws IntegrityError when the result would not have exactly `plainBytes` bytes */
export function decodeInWorker(
  codec: CodecMethod,
  stored: Uint8Array,
  plainBytes: number,
): Promise<BlockResults["decode"]> {
  const bytes = lent(stored);
  return run({ task: "decode", codec, stored: bytes, plainBytes }, bytes);
}

/** AES-256-GCM. Consumes `plain`. */
export function sealInWorker(key: KeyObject, context: SealContext, plain: Uint8Array): Promise<BlockResults["seal"]> {
  const bytes = owned(plain);
  return run({ task: "seal", key, context, plain: bytes }, bytes);
}

/** The bytes that were sealed, or undefined when `sealed` is not the result for this key and context. */
export function openInWorker(key: KeyObject, context: SealContext, sealed: Uint8Array): Promise<BlockResults["open"]> {
  const bytes = lent(sealed);
  return run({ task: "open", key, context, sealed: bytes }, bytes);
}

/** Opens, decodes and names all these chunks. Consumes `stored`. */
export function unpackInWorker(job: Omit<UnpackJob, "task">): Promise<BlockResults["unpack"]> {
  const stored = owned(job.stored);
  return run({ ...job, task: "unpack", stored }, stored);
}

/**
 * Starts the threads that a small increment needs, while the caller still loads and looks up things before the first
 * block.
 */
export function startBlockWorkers(): void {
  pool.start(2);
}

/** In a form that a message can take without harm to the caller: shared memory stays in both threads. */
function lent(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof SharedArrayBuffer ? bytes : copyOf(bytes);
}

async function run<J extends BlockJob>(job: J, bytes: Uint8Array): Promise<BlockResults[J["task"]]> {
  const moved = bytes.buffer instanceof ArrayBuffer ? [bytes.buffer] : [];
  return (await pool.run(job, moved)) as BlockResults[J["task"]];
}
