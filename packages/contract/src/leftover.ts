import type { LedgerEntry } from "./ledger.ts";

/** Something of ours that a dead run left on a manager. */
export interface Leftover {
  readonly entry: LedgerEntry;
  /** What `remove` would do, for people. "nothing left" entries have `gone: true` and need no action. */
  readonly action: string;
  readonly gone: boolean;
  /** Touches only what carries our tag or an id we chose. Throws when it could not be removed. */
  remove(signal: AbortSignal): Promise<void>;
}

/** Makes temporary things on a manager, writes each to the ledger under its name before it makes it, and can undo it later. */
export interface LeftoverOwner {
  /** Stands in the ledger as the `strategy` of every entry: it must never change. */
  readonly name: string;
  /** Looks each entry up on the manager. Entries of runs that are still alive are never passed in, but by those runs. */
  leftovers(entries: readonly LedgerEntry[], signal: AbortSignal): Promise<readonly Leftover[]>;
}
