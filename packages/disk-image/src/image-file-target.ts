import type { DiskTarget } from "@ovault/contract";

/**
 * A disk restored into a file. The file appears under its name when `finish` resolves, complete and durable; until
 * then, and after `abort`, there is nothing at that path. The caller must call one of the two, after all other calls
 * have settled.
 *
 * Every call rejects with ImageFileError or its kinds, or with the signal's reason.
 */
export interface ImageFileTarget extends DiskTarget {
  readonly path: string;
  finish(): Promise<void>;
  /** Never rejects. */
  abort(): Promise<void>;
}

export interface ImageFileOptions {
  /** Path of the new file. ImageFileExistsError when it is taken. */
  readonly path: string;
  /** Id of the disk in the recovery point. */
  readonly diskId: string;
  /** Size the guest sees, in bytes; any number. */
  readonly logicalBytes: number;
}

/** Maximum concurrent writes: enough to keep a disk busy, few enough for libuv's four threads. */
export const MAX_WRITES = 8;
