import { plural, type ObjectStore } from "@ovault/contract";
import { CallStatistics, logged, timed } from "@ovault/core";

import { formatBytes } from "../text/format.ts";
import type { Reporter } from "../reporter.ts";

/** Traces the calls to a destination: a line per call and, at the end, sums. */
export class StoreTrace {
  readonly #name: string;
  readonly #reporter: Reporter;
  readonly #statistics = new CallStatistics();

  constructor(name: string, reporter: Reporter) {
    this.#name = name;
    this.#reporter = reporter;
  }

  readonly observe = (store: ObjectStore): ObjectStore =>
    timed(
      logged(store, (line) => this.#note(line)),
      this.#statistics.add,
    );

  showSums(): void {
    for (const { kind, count, failed, bytes, p50Ms, p95Ms, maxMs } of this.#statistics.summary()) {
      const times = [p50Ms, p95Ms, maxMs].map((ms) => `${ms.toFixed(1)} ms`);
      this.#note(
        `${kind}: ${plural(count, "call")}, ${failed} failed, ${formatBytes(bytes)}; ` +
          `half took up to ${times[0]}, 95 % up to ${times[1]}, the longest ${times[2]}`,
      );
    }
  }

  #note(text: string): void {
    this.#reporter.note(`${this.#name}: ${text}`);
  }
}
