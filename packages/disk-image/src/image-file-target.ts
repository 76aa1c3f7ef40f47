import type { DiskTarget } from "@ovault/contract";

/**
 * A disk restored into a file. The file appears under its name when `finish` resolves, complete and durable; until
 * then, and after `abort`, there is nothing at that path. One of the two must be called, after all other calls have
 * settled.
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
  /** Where the file is to appear. ImageFileExistsError when there is something already. */
  readonly path: string;
  /** Of the disk in the recovery point. */
  readonly diskId: string;
  /** Size the guest sees, in bytes; any number. */
  readonly logicalBytes: number;
}

/** Writes at once: enough to keep a disk busy, few enough for libuv's four threads. */
export const MAX_WRITES = 8;
