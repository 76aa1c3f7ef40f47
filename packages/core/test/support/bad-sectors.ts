import { type GetOptions, type ObjectKey, type ObjectStore, StoreUnavailableError } from "@ovault/contract";
import { InterceptedStore, type StoreCall } from "@ovault/testkit";

/** A byte of an object that cannot be read. */
export interface BadSector {
  readonly key: ObjectKey;
  readonly at: number;
}

/** A disk with bad sectors: it answers, but for reads that touch one of them. */
export class BadSectors extends InterceptedStore {
  readonly #sectors: readonly BadSector[];

  constructor(store: ObjectStore, sectors: readonly BadSector[]) {
    super(store);
    this.#sectors = sectors;
  }

  override async get(key: ObjectKey, options: GetOptions): Promise<Uint8Array> {
    const { offset, length } = options.range ?? { offset: 0, length: Infinity };
    const isBad = this.#sectors.some((bad) => bad.key === key && bad.at >= offset && bad.at < offset + length);
    if (isBad) throw new StoreUnavailableError(`cannot read ${key}: EIO`, { retry: "transient" });
    return await super.get(key, options);
  }

  protected override async intercept<T>(_: StoreCall, work: () => Promise<T>): Promise<T> {
    return await work();
  }
}
