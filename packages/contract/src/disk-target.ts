/**
 * One disk to restore into. Writes may overlap in time but never touch the same byte twice; core calls `flush` after
 * all of them.
 */
export interface DiskTarget {
  /** Id, in the recovery point, of the disk to restore here. */
  readonly diskId: string;
  readonly logicalBytes: number;
  /**
   * As of `DiskSource`.
   * @since 0.2.0
   */
  readonly carrier?: string;
  /** Maximum concurrent writes. */
  readonly maxWrites: number;
  /** The caller may reuse `data` once the promise settles. */
  write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Makes a range read as zeros without allocating it where the storage can. */
  zero(offset: number, length: number, signal: AbortSignal): Promise<void>;
  /** Everything written is durable when this returns. */
  flush(signal: AbortSignal): Promise<void>;
}
