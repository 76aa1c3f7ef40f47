import type { ObjectStore } from "@ovault/contract";

/** The subject of the ObjectStore checks. */
export interface StoreUnderTest {
  /** Empty, and exclusive to the test. */
  readonly store: ObjectStore;
  /** Another client of the same place, with its own connections. Without it, checks with two clients are skipped. */
  readonly second?: ObjectStore | undefined;
  /** Iterations of randomized checks, races and aborts. */
  readonly runs: number;
  /** Longest key, in bytes: 512, less in a folder of another store. */
  readonly longestKey: number;
}

/** The contract's limit, in bytes. */
export const LONGEST_KEY = 512;
export const LONGEST_NAME = 200;
export const LARGEST_OBJECT = 128 * 1024 * 1024;

/** Above the size at which drivers split an upload into parts (8 or 16 MiB). */
export const SEVERAL_PIECES = 17 * 1024 * 1024;

/** Concurrent calls of checks that make many. */
export const LANES = 8;

export const textBytes = (text: string): Uint8Array => Buffer.from(text);
