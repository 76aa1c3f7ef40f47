import type { KeyObject } from "node:crypto";

import type { ChunkDigest } from "../digests/chunk-digest.ts";
import type { SealContext } from "../aes-gcm.ts";

/** A codec of ovault's own, as worker threads know it. */
export type CodecMethod =
  { readonly name: "none" } | { readonly name: "lz4" } | { readonly name: "zstd"; readonly level: number };

/** The name of a chunk. */
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

/** Opens, decodes and names chunks that lie in `stored`, all in one go, while they are in the processor's cache. */
export interface UnpackJob {
  readonly task: "unpack";
  readonly stored: Uint8Array;
  readonly chunks: readonly PackedChunk[];
  /** Of the pack that they lie in, when it is sealed. */
  readonly sealKey: KeyObject | undefined;
  readonly digest: ChunkDigest;
  /** Whether the answer brings the plain bytes of chunks that have no place for them. */
  readonly keepPlain: boolean;
}

export interface PackedChunk {
  /** In `stored`. */
  readonly at: number;
  readonly storedBytes: number;
  /** What it was sealed with. */
  readonly context: SealContext;
  readonly codec: CodecMethod;
  readonly plainBytes: number;
  /** Where to put its plain bytes: so many, in shared memory. */
  readonly into: Uint8Array | undefined;
}

/** What a worker thread is asked to do with blocks: plain data, which a message can carry. */
export type BlockJob = DigestJob | EncodeJob | DecodeJob | SealJob | OpenJob | UnpackJob;

/** What each task answers. */
export interface BlockResults {
  readonly digest: Uint8Array<ArrayBuffer>;
  /** Undefined when it would not be shorter. */
  readonly encode: Uint8Array<ArrayBuffer> | undefined;
  readonly decode: Uint8Array<ArrayBuffer>;
  readonly seal: Uint8Array<ArrayBuffer>;
  /** Undefined when it is not what was sealed with this key and context. */
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
  /** It was not sealed for its place with this key. */
  | { readonly outcome: "sealed" }
  /** Its codec does not take it, for this reason. */
  | { readonly outcome: "encoded"; readonly reason: string };
