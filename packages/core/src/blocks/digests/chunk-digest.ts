import type { KeyObject } from "node:crypto";

/**
 * How a repository names its chunks. Both give 32 bytes. BLAKE3 takes a third of the time and is the default of new
 * repositories; SHA-256 is for repositories of older releases, and where no other digest may be used.
 */
export const DIGEST_NAMES = ["sha-256", "blake3"] as const;
export type DigestName = (typeof DIGEST_NAMES)[number];

/** A repository's digest in the form that worker threads use. */
export interface ChunkDigest {
  readonly name: DigestName;
  /** 32 bytes, for keyed ids: HMAC-SHA-256, or BLAKE3's own keyed mode. */
  readonly key: KeyObject | undefined;
}
