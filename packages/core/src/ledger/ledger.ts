import type { LedgerEntry, RunLedger } from "@ovault/contract";

/**
 * What runs have made on managers and not yet removed. `FileLedger` keeps it in files of one node; a server may keep it
 * in its database.
 *
 * All methods throw LedgerError when the ledger cannot be read or written. Several processes may use it at once.
 */
export interface Ledger {
  /** Starts the ledger of one run of this process. */
  forRun(options: LedgerRunOptions): Promise<LedgerRun>;
  /** As `report().abandoned`. */
  abandoned(): Promise<readonly LedgerEntry[]>;
  report(): Promise<LedgerReport>;
  /** Durably closes an abandoned entry whose thing is gone. Concurrent and repeated calls are safe. */
  resolve(entry: LedgerEntry): Promise<void>;
}

export interface LedgerRunOptions {
  readonly runId: string;
  /** Name of the manager in the configuration. */
  readonly manager: string;
  readonly strategy: string;
}

/** The ledger of one living run. Its creator must call `end`. */
export interface LedgerRun extends RunLedger {
  /** The run is over: its open entries count as abandoned from now on, though this process lives. */
  end(): Promise<void>;
}

/** Open entries, grouped by the state of the run that made them. */
export interface LedgerReport {
  /** Entries of ended runs of this node: their things may be removed. */
  readonly abandoned: readonly LedgerEntry[];
  /** Entries of living runs of this node: must not be touched. */
  readonly active: readonly LedgerEntry[];
  /** Entries of other nodes or containers, or of files whose first line is lost: needs a human decision. */
  readonly elsewhere: readonly LedgerEntry[];
  /** Unreadable lines. They may have held entries; the files stay until an administrator removes them. */
  readonly damaged: readonly { readonly file: string; readonly lines: readonly number[] }[];
}
