import { StoreUnavailableError } from "@ovault/contract";
import { InterceptedStore, type StoreCall, type StoreCallKind } from "@ovault/testkit";

/** A store that the test takes away and puts back. */
export class SwitchedStore extends InterceptedStore {
  /** Kinds of calls that fail without effect. */
  gone: readonly StoreCallKind[] = [];

  protected override async intercept<T>({ kind, key }: StoreCall, work: () => Promise<T>): Promise<T> {
    if (this.gone.includes(kind)) throw new StoreUnavailableError(`cannot ${kind} ${key}`, { retry: "transient" });
    return await work();
  }
}

export const EVERY_CALL: readonly StoreCallKind[] = ["put", "get", "stat", "list", "delete"];
