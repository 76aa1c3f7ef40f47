import type { ObjectStore } from "@ovault/contract";

/** What the checks of the ObjectStore contract work on. */
export interface StoreUnderTest {
  /** Empty, and used by nobody else. */
  readonly store: ObjectStore;
  /** Another client of the same place, with connections of its own. Without it, what takes two clients is skipped. */
  readonly second?: ObjectStore | undefined;
  /** How often is done what is random, races, or is cut off. */
  readonly runs: number;
  /** Bytes of the longest key: 512, less in a folder of another store. */
  readonly longestKey: number;
}

/** In the contract. */
export const LONGEST_KEY = 512;
export const LONGEST_NAME = 200;
export const LARGEST_OBJECT = 128 * 1024 * 1024;

/** Above what services take in one request before a driver cuts it in pieces (8 or 16 MiB). */
export const SEVERAL_PIECES = 17 * 1024 * 1024;

/** Calls that the checks make at once where they need many. */
export const LANES = 8;

export const textBytes = (text: string): Uint8Array => Buffer.from(text);
