import type { LedgerEntry } from "./ledger.ts";

/** A temporary thing of ovault that a dead run left on a manager. */
export interface Leftover {
  readonly entry: LedgerEntry;
  /** What `remove` would do, for people. "nothing left" entries have `gone: true` and need none. */
  readonly action: string;
  readonly gone: boolean;
  /** Touches only what carries ovault's tag or an id that ovault chose. Throws when it could not be removed. */
  remove(signal: AbortSignal): Promise<void>;
}

/** Makes temporary things on a manager, writes each to the ledger under its own name first, and can undo it later. */
export interface LeftoverOwner {
  /** The `strategy` of every ledger entry it writes: must never change. */
  readonly name: string;
  /**
   * Looks each entry up on the manager. Only that run itself passes in the entries of a living run.
   * @param onWait receives, for people, what a removal waits for and why
   */
  leftovers(
    entries: readonly LedgerEntry[],
    signal: AbortSignal,
    onWait?: (what: string) => void,
  ): Promise<readonly Leftover[]>;
}
