import type { Redactor } from "@ovault/core";

import type { Reporter } from "./reporter.ts";

/** What every operation works with, whether a person at a terminal or a server asks for it. */
export interface OperationContext {
  /** Cancels the operation. It returns only when none of its work is under way any more. */
  readonly signal: AbortSignal;
  /** Path of ovault.yaml. */
  readonly configFile: string;
  /** Report every call to a destination. */
  readonly debug: boolean;
  readonly reporter: Reporter;
  /** Learns every secret that the operation resolves. */
  readonly redactor: Redactor;
}
