import type { JsonObject } from "./json.ts";

/**
 * One temporary thing a run makes on a manager; the run writes the entry before it makes the thing. `detail` holds what
 * is needed to find it again (ids that the run chose, or the tag it carries) and to undo it.
 */
export interface LedgerEntry {
  readonly id: string;
  readonly runId: string;
  /** Host name of the node that made it. */
  readonly node: string;
  readonly manager: string;
  /** Name of the strategy that can undo it. */
  readonly strategy: string;
  /** e.g. `backup`, `transfer`, `checkpoint`, `disk`, `vm`, `snapshot`. */
  readonly kind: string;
  /** For people: "backup of web01". */
  readonly title: string;
  readonly detail: JsonObject;
  /** ISO 8601. */
  readonly recordedAt: string;
}

/** The ledger as a running session sees it. Every call is durable when it returns. */
export interface RunLedger {
  readonly runId: string;
  /** Call it before making the thing. */
  open(entry: NewLedgerEntry): Promise<LedgerHandle>;
  /** What this run and dead runs of this node have made and not removed, as far as the ledger knows. */
  outstanding(): Promise<readonly LedgerEntry[]>;
}

export type NewLedgerEntry = Pick<LedgerEntry, "kind" | "title" | "detail">;

export interface LedgerHandle {
  readonly entry: LedgerEntry;
  /** Adds details known only once the thing exists, usually its id. */
  amend(detail: JsonObject): Promise<void>;
  /** The thing is gone, or has become part of the result and is no longer temporary. */
  close(): Promise<void>;
}
