import type { Ledger, Redactor } from "@ovault/core";

import type { Reporter } from "./reporter.ts";

/** The inputs of every operation, whether started from a terminal or a server. */
export interface OperationContext {
  /** Cancels the operation. It returns only when all its work has ended. */
  readonly signal: AbortSignal;
  /** Path of ovault.yaml. */
  readonly configFile: string;
  /** Report every call to a destination. */
  readonly debug: boolean;
  readonly reporter: Reporter;
  /** Learns every secret that the operation resolves. */
  readonly redactor: Redactor;
  /** Default: files in the state directory of ovault.yaml. */
  readonly ledger?: Ledger;
}
