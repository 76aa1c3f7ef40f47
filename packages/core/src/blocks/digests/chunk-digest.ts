import type { KeyObject } from "node:crypto";

/**
 * How a repository names its chunks. Both give 32 bytes. BLAKE3 takes a third of the time and is what new repositories get;
 * SHA-256 is in those of older releases, and for places where no other may be used.
 */
export const DIGEST_NAMES = ["sha-256", "blake3"] as const;
export type DigestName = (typeof DIGEST_NAMES)[number];

/** The digest of one repository, as worker threads know it. */
export interface ChunkDigest {
  readonly name: DigestName;
  /** Of 32 bytes, where ids are keyed: HMAC-SHA-256, or BLAKE3's own keyed mode. */
  readonly key: KeyObject | undefined;
}
