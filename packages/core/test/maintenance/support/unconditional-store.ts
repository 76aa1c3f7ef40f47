import type { ObjectKey, ObjectStore, PutOptions } from "@ovault/contract";
import { InterceptedStore, type StoreCall } from "@ovault/testkit";

/** A store that looks before it puts, and may put over what came between. */
export class UnconditionalStore extends InterceptedStore {
  override readonly capabilities = { conditionalPut: false };
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    super(store);
    this.#store = store;
  }

  override async put(key: ObjectKey, parts: readonly Uint8Array[], options: PutOptions): Promise<"stored" | "exists"> {
    const isThere = await this.#store.stat(key, options).then(
      () => true,
      () => false,
    );
    if (options.ifAbsent && isThere) return "exists";
    return await this.#store.put(key, parts, { ...options, ifAbsent: false });
  }

  protected override intercept<T>(_call: StoreCall, work: () => Promise<T>): Promise<T> {
    return work();
  }
}
