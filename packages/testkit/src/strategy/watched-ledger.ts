import type { JsonObject, LedgerEntry, LedgerHandle, RunLedger } from "@ovault/contract";

/** Called before and after each ledger call, with its number, from 1. A throw fails the ledger call. */
export type WatchCall = (call: number, when: "before" | "after") => void;

/** Counts the ledger calls of a strategy: each marks where something is made, known or gone. */
export class WatchedLedger implements RunLedger {
  readonly runId: string;
  calls = 0;
  readonly #ledger: RunLedger;
  readonly #watch: WatchCall;

  constructor(ledger: RunLedger, watch: WatchCall) {
    this.runId = ledger.runId;
    this.#ledger = ledger;
    this.#watch = watch;
  }

  async open(entry: { kind: string; title: string; detail: JsonObject }): Promise<LedgerHandle> {
    const handle = await this.#call(() => this.#ledger.open(entry));
    return {
      get entry() {
        return handle.entry;
      },
      amend: (detail) => this.#call(() => handle.amend(detail)),
      close: () => this.#call(() => handle.close()),
    };
  }

  outstanding(): Promise<readonly LedgerEntry[]> {
    return this.#ledger.outstanding();
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    const call = (this.calls += 1);
    this.#watch(call, "before");
    const result = await work();
    this.#watch(call, "after");
    return result;
  }
}
