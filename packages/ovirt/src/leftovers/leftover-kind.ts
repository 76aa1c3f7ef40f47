import type { Leftover, LedgerEntry } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";

/** Checks whether what an entry names still exists. */
export type LeftoverLookUp = (api: EngineApi, entry: LedgerEntry, signal: AbortSignal) => Promise<Leftover>;

/** One kind of entry in the ledger. */
export interface LeftoverKind {
  readonly lookUp: LeftoverLookUp;
  /** Kinds that can only go after this one: an attachment blocks the snapshot that it shares. */
  readonly before: readonly string[];
  /** The engine does not see it. What it uses, of the kinds in `before`, stays until this is known to be gone. */
  readonly unseen?: boolean;
}

/** By the `kind` of the entry. */
export type LeftoverKinds = Readonly<Record<string, LeftoverKind>>;
