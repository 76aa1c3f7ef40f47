import * as fc from "fast-check";

import { type CallOptions, type ObjectInfo, type ObjectStore, StoreUnavailableError } from "@ovault/contract";
import { InterceptedStore, type StoreCall, tally } from "@ovault/testkit";

type Outcome = "well" | "before" | "after";

/** Outcomes of calls, in order and repeated. */
export interface Outcomes {
  readonly outcomes: readonly Outcome[];
  /** The same call fails no more often than this, in all. */
  readonly most: number;
}

/**
 * Passes calls on to another store; many of them fail transiently, before or after they take effect, and listings break
 * at any object.
 */
export class UnreliableStore extends InterceptedStore {
  readonly #outcomes: Outcomes;
  readonly #failures = new Map<string, number>();
  #calls = 0;

  constructor(store: ObjectStore, outcomes: Outcomes) {
    super(store);
    this.#outcomes = outcomes;
  }

  static outcomes(most: number): fc.Arbitrary<Outcomes> {
    const outcome = fc.constantFrom<Outcome>("well", "before", "after");
    return fc.record({ outcomes: fc.array(outcome, { minLength: 10, maxLength: 60 }), most: fc.constant(most) });
  }

  override async *list(prefix: string, options: CallOptions): AsyncGenerator<ObjectInfo> {
    for await (const info of super.list(prefix, options)) {
      if (this.#outcomeOf(`list ${prefix}`) !== "well") throw outage(`list ${prefix}`);
      yield info;
    }
  }

  protected override async intercept<T>({ kind, key }: StoreCall, work: () => Promise<T>): Promise<T> {
    const label = `${kind} ${key}`;
    const outcome = this.#outcomeOf(label);
    if (outcome === "before") throw outage(label);
    const answer = await work();
    if (outcome === "after") throw outage(label);
    return answer;
  }

  #outcomeOf(label: string): Outcome {
    const { outcomes, most } = this.#outcomes;
    const outcome = outcomes[this.#calls++ % outcomes.length] ?? "well";
    const failures = this.#failures.get(label) ?? 0;
    if (outcome === "well" || failures >= most) return "well";
    this.#failures.set(label, failures + 1);
    tally("faults");
    return outcome;
  }
}

function outage(label: string): StoreUnavailableError {
  return new StoreUnavailableError(`an outage at ${label}`, { retry: "transient" });
}
