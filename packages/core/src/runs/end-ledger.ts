import { messageOf, observe, type RunHooks } from "@ovault/contract";
import type { LedgerRun } from "../ledger/ledger.ts";

/** Ends the ledger of a run. A ledger that fails here is a warning: it undoes neither a sealed point nor a machine. */
export async function endLedger(ledger: LedgerRun, hooks: RunHooks): Promise<void> {
  try {
    await ledger.end();
  } catch (error) {
    observe(hooks.warning, `the ledger of the run could not be ended: ${messageOf(error)}; see \`ovault doctor\``);
  }
}
