import type { SecretReference } from "@ovault/contract";
import type { RetentionRules } from "../retention/retention-rules.ts";

/** What every destination may have in ovault.yaml, whichever plugin makes it. */
export interface DestinationSettings {
  readonly encryption?: EncryptionSettings | undefined;
  readonly compression?: CompressionSettings | undefined;
  readonly limits?: LimitSettings | undefined;
  /** Milliseconds for which a call is repeated while the destination does not answer. */
  readonly patience?: number | undefined;
  /** For how many days new packs and points are held against deletion. */
  readonly lockDays?: number | undefined;
  readonly readOnly?: boolean | undefined;
  readonly retention?: RetentionRules | undefined;
}

/** Where the secret is that opens the repository. */
export type EncryptionSettings =
  | { readonly passphrase: SecretReference }
  /** Absolute path. */
  | { readonly keyFile: string };

export interface CompressionSettings {
  /** `none`, `lz4`, `zstd`, or the name of a plugin's. */
  readonly codec: string;
  /** Of Zstandard only. */
  readonly level?: number | undefined;
}

export interface LimitSettings {
  /** Calls under way at once. */
  readonly concurrency?: number | undefined;
  /** Bytes per second. */
  readonly upload?: number | undefined;
  /** Bytes per second. */
  readonly download?: number | undefined;
}
