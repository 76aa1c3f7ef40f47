/**
 * One disk to restore into. Calls may overlap but never touch the same byte twice; `flush` comes after all of them.
 */
export interface DiskTarget {
  /** Id of the disk in the recovery point that belongs here. */
  readonly diskId: string;
  readonly logicalBytes: number;
  /** Writes this target bears at once. */
  readonly maxWrites: number;
  /** `data` belongs to the caller again once the promise settles. */
  write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Makes a range read as zeros without allocating it where the storage can. */
  zero(offset: number, length: number, signal: AbortSignal): Promise<void>;
  /** Everything written is durable when this returns. */
  flush(signal: AbortSignal): Promise<void>;
}
