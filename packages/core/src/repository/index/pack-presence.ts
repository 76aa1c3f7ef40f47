import { type ObjectStore, ObjectNotFoundError, IntegrityError } from "@ovault/contract";
import { BitSet } from "../../util/bit-set.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import { packKey } from "../../format/layout.ts";

export interface PackPresenceOptions {
  readonly store: ObjectStore;
  /** Packs found absent are dropped from it. */
  readonly index: ChunkIndex;
  readonly signal: AbortSignal;
}

/**
 * Which packs one run has seen in the store. An index object may list packs that are gone: when it was put late, by a
 * run that had been replaced and whose packs were pruned, or when the packs were deleted by other means. So a run never
 * builds on a pack that it knows only from the index. Costs one call for each pack that something new relies on.
 */
export class PackPresence {
  readonly #options: PackPresenceOptions;
  /** Numbers of packs. */
  readonly #seen = new BitSet();
  readonly #asking = new Map<number, Promise<void>>();

  constructor(options: PackPresenceOptions) {
    this.#options = options;
  }

  has(pack: number): boolean {
    return this.#seen.has(pack);
  }

  /** Adds a pack that this run has put itself. */
  add(pack: number): void {
    this.#seen.add(pack);
  }

  /** When this resolves, the pack was either seen or dropped from the index. */
  async ask(pack: number): Promise<void> {
    const asking = this.#asking.get(pack) ?? this.#ask(pack).finally(() => this.#asking.delete(pack));
    this.#asking.set(pack, asking);
    await asking;
  }

  async #ask(pack: number): Promise<void> {
    const { store, index, signal } = this.#options;
    try {
      await store.stat(packKey(index.packs.nameOf(pack)), { signal });
      this.#seen.add(pack);
    } catch (error) {
      if (!(error instanceof ObjectNotFoundError) && !(error instanceof IntegrityError)) throw error;
      index.packs.drop(pack);
    }
  }
}
