import { type ObjectKey, type PutOptions, StoreFullError } from "@ovault/contract";
import { InterceptedStore, type MemoryStore, type StoreCall } from "@ovault/testkit";

const BLOCK_BYTES = 4096;

/** A store of so many blocks of 4 KiB, each for one object. */
export class FullStore extends InterceptedStore {
  /** In blocks. */
  capacity = Infinity;
  readonly #store: MemoryStore;

  constructor(store: MemoryStore) {
    super(store);
    this.#store = store;
  }

  get usedBlocks(): number {
    return [...this.#store.objects.values()].reduce((sum, bytes) => sum + blocksOf(bytes.byteLength), 0);
  }

  override async put(key: ObjectKey, parts: readonly Uint8Array[], options: PutOptions): Promise<"stored" | "exists"> {
    const blocks = blocksOf(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
    if (this.usedBlocks + blocks > this.capacity) {
      throw new StoreFullError(`cannot write ${key}: no space left`, { hint: "Run `ovault forget`." });
    }
    return await super.put(key, parts, options);
  }

  protected override async intercept<T>(_call: StoreCall, work: () => Promise<T>): Promise<T> {
    return await work();
  }
}

function blocksOf(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / BLOCK_BYTES));
}
