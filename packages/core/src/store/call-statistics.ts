import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

import type { StoreCallReport } from "./timed.ts";

/** Summary of all calls of one kind. Times are exact to one percent. */
export interface CallSummary {
  readonly kind: StoreCallReport["kind"];
  readonly count: number;
  readonly failed: number;
  readonly bytes: number;
  /** Median. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
}

interface Tally {
  failed: number;
  bytes: number;
  /** Microseconds. Of fixed size for any number of calls. */
  readonly times: RecordableHistogram;
}

const LONGEST_US = 24 * 60 * 60 * 1e6;

/** Sums up the calls to a store: `timed(store, statistics.add)`. */
export class CallStatistics {
  readonly #tallies = new Map<StoreCallReport["kind"], Tally>();

  readonly add = ({ kind, bytes, failed, ms }: StoreCallReport): void => {
    const known = this.#tallies.get(kind);
    const tally = known ?? { failed: 0, bytes: 0, times: createHistogram({ highest: LONGEST_US, figures: 2 }) };
    if (known === undefined) this.#tallies.set(kind, tally);
    tally.failed += failed ? 1 : 0;
    tally.bytes += bytes;
    tally.times.record(Math.min(Math.max(1, Math.round(ms * 1000)), LONGEST_US));
  };

  /** One entry for each kind of call that was made. */
  summary(): readonly CallSummary[] {
    return [...this.#tallies].map(([kind, { failed, bytes, times }]) => ({
      kind,
      count: times.count,
      failed,
      bytes,
      p50Ms: times.percentile(50) / 1000,
      p95Ms: times.percentile(95) / 1000,
      maxMs: times.max / 1000,
    }));
  }
}
