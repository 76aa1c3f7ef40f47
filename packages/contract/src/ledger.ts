import type { JsonObject } from "./json.ts";

/**
 * One temporary thing a run makes on a manager, written down before it is made. `detail` holds what is needed to find
 * it again (ids chosen by us, or the tag it carries) and to undo it.
 */
export interface LedgerEntry {
  readonly id: string;
  readonly runId: string;
  /** Host name of the node whose process made it. */
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
  /** Before the thing is made. */
  open(entry: NewLedgerEntry): Promise<LedgerHandle>;
}

export type NewLedgerEntry = Pick<LedgerEntry, "kind" | "title" | "detail">;

export interface LedgerHandle {
  readonly entry: LedgerEntry;
  /** Adds what is known only after the thing was made, usually its id. */
  amend(detail: JsonObject): Promise<void>;
  /** The thing is gone, or has become part of the result and is no longer temporary. */
  close(): Promise<void>;
}
