/**
 * A reversible transformation of one chunk. `id` (1 to 255) is stored with every chunk, for ever. `encode` may return
 * `undefined` when the result would not be smaller; the chunk is then stored plain (codec 0).
 */
export interface Codec {
  readonly id: number;
  readonly name: string;
  /** `plain` may lie in shared memory, and belongs to the caller again when this settles; the result is the caller's. */
  encode(plain: Uint8Array): Promise<Uint8Array | undefined>;
  /**
   * The bytes are the caller's; they may lie in `stored`.
   * @throws IntegrityError when the result would not have exactly `plainBytes` bytes
   */
  decode(stored: Uint8Array, plainBytes: number): Promise<Uint8Array>;
}
