import type { LedgerHandle, Leftover, RecoveryPoint, Strategy } from "@ovault/contract";
import type { Ledger, LedgerRun } from "../ledger/ledger.ts";
import { newRunId } from "../util/run-id.ts";

/**
 * What the last point keeps on the manager for an increment that will never come, because another strategy takes the
 * next point. The run removes it after the seal, by way of the ledger, so that `doctor` finds it if the run is killed
 * in between.
 */
export class SupersededBase {
  readonly #point: RecoveryPoint;
  readonly #strategy: Strategy;
  #run: LedgerRun | undefined;
  #handles: readonly LedgerHandle[] = [];

  /** @param strategy the strategy that took the point */
  constructor(point: RecoveryPoint, strategy: Strategy) {
    this.#point = point;
    this.#strategy = strategy;
  }

  /** Call it before the seal: a run killed after the seal would otherwise leave no record of these resources. */
  async record(ledger: Ledger): Promise<void> {
    const kept = this.#strategy.keeps?.(this.#point) ?? [];
    if (kept.length === 0) return;
    const { manager } = this.#point.vm;
    const run = await ledger.forRun({ runId: newRunId(), manager, strategy: this.#strategy.name });
    this.#run = run;
    for (const entry of kept) this.#handles = [...this.#handles, await run.open(entry)];
  }

  /** The new point was not sealed: the previous point remains a valid base. */
  async spare(): Promise<void> {
    for (const handle of this.#handles) await handle.close();
    await this.#run?.end();
  }

  /** The new point is sealed. What cannot be removed now stays in the ledger. */
  async remove(signal: AbortSignal): Promise<void> {
    try {
      for (const leftover of await this.#lookUp(signal)) {
        const handle = this.#handles.find(({ entry }) => entry.id === leftover.entry.id);
        if (handle === undefined) continue;
        if (!leftover.gone) await leftover.remove(signal);
        await handle.close();
      }
    } finally {
      await this.#run?.end();
    }
  }

  /** With what dead runs of the strategy left: something of theirs may still read what is to be removed. */
  async #lookUp(signal: AbortSignal): Promise<readonly Leftover[]> {
    const { name } = this.#strategy;
    const { manager } = this.#point.vm;
    const outstanding = this.#handles.length === 0 ? [] : ((await this.#run?.outstanding()) ?? []);
    const own = outstanding.filter((entry) => entry.strategy === name && entry.manager === manager);
    return own.length === 0 ? [] : await this.#strategy.leftovers(own, signal);
  }
}
