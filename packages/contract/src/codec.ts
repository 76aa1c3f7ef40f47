/**
 * A reversible transformation of one chunk. `id` (1 to 255) is stored with every chunk, for ever. `encode` may return
 * `undefined` when the result would not be smaller; the chunk is then stored plain (codec 0).
 */
export interface Codec {
  readonly id: number;
  readonly name: string;
  /** `plain` may lie in shared memory; the caller may reuse it once the promise settles. The caller owns the result. */
  encode(plain: Uint8Array): Promise<Uint8Array | undefined>;
  /**
   * The caller owns the result, which may be a view of `stored`.
   * @throws IntegrityError when the result would not have exactly `plainBytes` bytes
   */
  decode(stored: Uint8Array, plainBytes: number): Promise<Uint8Array>;
}
