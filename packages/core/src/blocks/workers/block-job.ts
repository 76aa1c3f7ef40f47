import type { KeyObject } from "node:crypto";

import type { ChunkDigest } from "../digests/chunk-digest.ts";
import type { SealContext } from "../aes-gcm.ts";

/** A built-in codec in the form that worker threads use. */
export type CodecMethod =
  { readonly name: "none" } | { readonly name: "lz4" } | { readonly name: "zstd"; readonly level: number };

/** Names a chunk. */
export interface DigestJob {
  readonly task: "digest";
  readonly plain: Uint8Array;
  readonly digest: ChunkDigest;
}

export interface EncodeJob {
  readonly task: "encode";
  readonly plain: Uint8Array;
  readonly codec: CodecMethod;
}

export interface DecodeJob {
  readonly task: "decode";
  readonly stored: Uint8Array;
  readonly codec: CodecMethod;
  readonly plainBytes: number;
}

export interface SealJob {
  readonly task: "seal";
  readonly plain: Uint8Array;
  readonly key: KeyObject;
  readonly context: SealContext;
}

export interface OpenJob {
  readonly task: "open";
  readonly sealed: Uint8Array;
  readonly key: KeyObject;
  readonly context: SealContext;
}

/** Opens, decodes and names chunks that lie in `stored`, in one pass, while they are in the processor's cache. */
export interface UnpackJob {
  readonly task: "unpack";
  readonly stored: Uint8Array;
  readonly chunks: readonly PackedChunk[];
  /** The seal key of their pack, if it is sealed. */
  readonly sealKey: KeyObject | undefined;
  readonly digest: ChunkDigest;
  /** Whether the result includes the plain bytes of chunks without `into`. */
  readonly keepPlain: boolean;
}

export interface PackedChunk {
  /** Offset in `stored`. */
  readonly at: number;
  readonly storedBytes: number;
  /** The context it was sealed with. */
  readonly context: SealContext;
  readonly codec: CodecMethod;
  readonly plainBytes: number;
  /** Where to put its plain bytes: exactly `plainBytes` of shared memory. */
  readonly into: Uint8Array | undefined;
}

/** A task on blocks for a worker thread: plain data, which a message can carry. */
export type BlockJob = DigestJob | EncodeJob | DecodeJob | SealJob | OpenJob | UnpackJob;

/** The result of each task. */
export interface BlockResults {
  readonly digest: Uint8Array<ArrayBuffer>;
  /** Undefined when the result would not be shorter. */
  readonly encode: Uint8Array<ArrayBuffer> | undefined;
  readonly decode: Uint8Array<ArrayBuffer>;
  readonly seal: Uint8Array<ArrayBuffer>;
  /** Undefined when it was not sealed with this key and context. */
  readonly open: Uint8Array<ArrayBuffer> | undefined;
  /** One for each chunk. */
  readonly unpack: readonly UnpackedChunk[];
}

export type UnpackedChunk =
  | {
      readonly outcome: "plain";
      readonly id: Uint8Array<ArrayBuffer>;
      readonly plain: Uint8Array<ArrayBuffer> | undefined;
    }
  /** It was not sealed with this key for its place. */
  | { readonly outcome: "sealed" }
  /** Its codec rejects it, for this reason. */
  | { readonly outcome: "encoded"; readonly reason: string };
