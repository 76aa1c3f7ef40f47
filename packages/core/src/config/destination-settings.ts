import type { SecretReference } from "@ovault/contract";
import type { RetentionRules } from "../retention/retention-rules.ts";

/** Settings that every destination may have in ovault.yaml, whatever its plugin. */
export interface DestinationSettings {
  readonly encryption?: EncryptionSettings | undefined;
  readonly compression?: CompressionSettings | undefined;
  readonly limits?: LimitSettings | undefined;
  /** How long core retries a call while the destination does not answer, in ms. */
  readonly patience?: number | undefined;
  /** Days for which the destination holds new packs and points against deletion. */
  readonly lockDays?: number | undefined;
  readonly readOnly?: boolean | undefined;
  readonly retention?: RetentionRules | undefined;
}

/** Where to find the secret that opens the repository. */
export type EncryptionSettings =
  | { readonly passphrase: SecretReference }
  /** Absolute path. */
  | { readonly keyFile: string };

export interface CompressionSettings {
  /** `none`, `lz4`, `zstd`, or the name of a codec plugin. */
  readonly codec: string;
  /** Zstandard only. */
  readonly level?: number | undefined;
}

export interface LimitSettings {
  /** Maximum concurrent calls. */
  readonly concurrency?: number | undefined;
  /** Bytes per second. */
  readonly upload?: number | undefined;
  /** Bytes per second. */
  readonly download?: number | undefined;
}
