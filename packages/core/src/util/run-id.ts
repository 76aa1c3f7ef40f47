import { randomUUID } from "node:crypto";

/** Names one run everywhere: ledger, tags on the manager, correlation id, manifest. */
export function newRunId(): string {
  return randomUUID();
}
