import { type ObjectStore, StoreUnavailableError } from "@ovault/contract";
import { InterceptedStore, type StoreCall } from "@ovault/testkit";

/** A store that is gone for some calls, counted from the first; `for` may be endless. */
export class GoneStore extends InterceptedStore {
  calls = 0;
  readonly #from: number;
  readonly #for: number;

  constructor(store: ObjectStore, gone: { readonly from: number; readonly for: number }) {
    super(store);
    this.#from = gone.from;
    this.#for = gone.for;
  }

  protected override async intercept<T>({ kind, key }: StoreCall, work: () => Promise<T>): Promise<T> {
    this.calls += 1;
    const since = this.calls - this.#from;
    if (since >= 0 && since < this.#for) {
      throw new StoreUnavailableError(`cannot ${kind} ${key}: ENOTCONN`, { retry: "transient" });
    }
    return await work();
  }
}
