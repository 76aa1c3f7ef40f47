import * as fc from "fast-check";

import { type CallOptions, type ObjectInfo, type ObjectStore, StoreUnavailableError } from "@ovault/contract";
import { InterceptedStore, type StoreCall, tally } from "@ovault/testkit";

type Fate = "well" | "before" | "after";

/** Outcomes of calls, in order and repeated. */
export interface Fates {
  readonly fates: readonly Fate[];
  /** The same call fails no more often than this, in all. */
  readonly most: number;
}

/**
 * Passes calls on to another store; many of them fail transiently, before or after they take effect, and listings break
 * at any object.
 */
export class StormyStore extends InterceptedStore {
  readonly #fates: Fates;
  readonly #failures = new Map<string, number>();
  #calls = 0;

  constructor(store: ObjectStore, fates: Fates) {
    super(store);
    this.#fates = fates;
  }

  static fates(most: number): fc.Arbitrary<Fates> {
    const fate = fc.constantFrom<Fate>("well", "before", "after");
    return fc.record({ fates: fc.array(fate, { minLength: 10, maxLength: 60 }), most: fc.constant(most) });
  }

  override async *list(prefix: string, options: CallOptions): AsyncGenerator<ObjectInfo> {
    for await (const info of super.list(prefix, options)) {
      if (this.#fateOf(`list ${prefix}`) !== "well") throw storm(`list ${prefix}`);
      yield info;
    }
  }

  protected override async intercept<T>({ kind, key }: StoreCall, work: () => Promise<T>): Promise<T> {
    const label = `${kind} ${key}`;
    const fate = this.#fateOf(label);
    if (fate === "before") throw storm(label);
    const answer = await work();
    if (fate === "after") throw storm(label);
    return answer;
  }

  #fateOf(label: string): Fate {
    const { fates, most } = this.#fates;
    const fate = fates[this.#calls++ % fates.length] ?? "well";
    const failures = this.#failures.get(label) ?? 0;
    if (fate === "well" || failures >= most) return "well";
    this.#failures.set(label, failures + 1);
    tally("faults");
    return fate;
  }
}

function storm(label: string): StoreUnavailableError {
  return new StoreUnavailableError(`a storm at ${label}`, { retry: "transient" });
}
