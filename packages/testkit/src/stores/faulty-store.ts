import { type ObjectStore, StoreUnavailableError } from "@ovault/contract";

import { tally } from "../tally.ts";
import { InterceptedStore, type StoreCall, type StoreCallKind } from "./intercepted-store.ts";

export interface Fault {
  /** Which call fails, counted among those of `kinds`; the first is 1. */
  readonly call: number;
  /** All kinds if absent. */
  readonly kinds?: readonly StoreCallKind[];
  /** `after`: the call takes effect, but its caller is told that it failed (a lost reply). */
  readonly when: "before" | "after";
  /** All later calls of whatever kind fail too, and do nothing: the store is gone, or the process is. */
  readonly forGood?: boolean;
  /** What is thrown; a transient StoreUnavailableError if absent. */
  readonly error?: unknown;
}

/** Passes calls on to another store, and fails as planned. */
export class FaultyStore extends InterceptedStore {
  /** Calls so far, of the kinds that count. */
  calls = 0;
  readonly #fault: Fault;

  constructor(store: ObjectStore, fault: Fault) {
    super(store);
    this.#fault = fault;
  }

  protected override async intercept<T>({ kind, key }: StoreCall, work: () => Promise<T>): Promise<T> {
    const { call, kinds, when, forGood = false } = this.#fault;
    const before = this.calls;
    if (kinds === undefined || kinds.includes(kind)) this.calls += 1;
    if (forGood && before >= call) throw this.#error(kind, key);
    if (this.calls !== call || before === call) return await work();
    tally("faults");
    if (when === "after") await work();
    throw this.#error(kind, key);
  }

  #error(kind: StoreCallKind, key: string): unknown {
    const message = `planned fault at call ${this.calls} (${kind} ${key})`;
    return this.#fault.error ?? new StoreUnavailableError(message, { context: { kind, key }, retry: "transient" });
  }
}
