import { type ObjectStore, StoreUnavailableError } from "@ovault/contract";

import { tally } from "../tally.ts";
import { InterceptedStore, type StoreCall, type StoreCallKind } from "./intercepted-store.ts";

export interface Fault {
  /** Number of the call that fails, from 1, among those of `kinds`. */
  readonly call: number;
  /** All kinds if absent. */
  readonly kinds?: readonly StoreCallKind[];
  /** `after`: the call takes effect but rejects (a lost reply). */
  readonly when: "before" | "after";
  /** All later calls of any kind fail too, without effect: the store or the process is gone. */
  readonly forGood?: boolean;
  /** The error to throw; a transient StoreUnavailableError by default. */
  readonly error?: unknown;
}

/** Passes calls on to another store, and fails as planned. */
export class FaultyStore extends InterceptedStore {
  /** Calls so far, of `kinds`. */
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
