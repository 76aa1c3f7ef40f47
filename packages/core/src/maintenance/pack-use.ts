import type { ChunkIndex } from "../repository/index/chunk-index.ts";
import type { NeededChunks } from "./liveness.ts";

const NONE = 0xffff_ffff;

/**
 * How much of each pack is needed, in stored bytes of chunks. Of the packs that hold a chunk, one keeps it: the one
 * with most needed bytes, so that copies in a repacked pack win over their originals. Two packs keep a page. Packs are
 * named by their numbers in the index; condemned ones keep nothing.
 */
export class PackUse {
  readonly #all: Float64Array;
  readonly #needed: Float64Array;
  readonly #kept: Float64Array;
  /** Pack number, by the number of the chunk. */
  readonly #keepers: Uint32Array;
  /** Packs that keep a second copy, by the number of the page. */
  readonly #seconds = new Map<number, number>();

  private constructor({ packs, chunks }: { readonly packs: number; readonly chunks: number }) {
    this.#all = new Float64Array(packs);
    this.#needed = new Float64Array(packs);
    this.#kept = new Float64Array(packs);
    this.#keepers = new Uint32Array(chunks).fill(NONE);
  }

  static measure(index: ChunkIndex, live: NeededChunks): PackUse {
    const use = new PackUse({ packs: index.packs.length, chunks: index.size });
    const keepers = use.#keepers;
    index.forEachPlace((entry, pack, bytes) => {
      add(use.#all, pack, bytes);
      if (live.has(entry)) add(use.#needed, pack, bytes);
    });
    index.forEachPlace((entry, pack, _bytes, isBad) => {
      if (isBad || !live.has(entry) || !index.packs.isUsable(pack)) return;
      const before = keepers[entry] ?? NONE;
      if (before === pack) return;
      const isFirst = before === NONE || use.#isBetter(pack, before);
      if (isFirst) keepers[entry] = pack;
      const next = isFirst ? before : pack;
      if (next === NONE || index.packs.at(next).kind !== "pages") return;
      const second = use.#seconds.get(entry);
      if (second === undefined || use.#isBetter(next, second)) use.#seconds.set(entry, next);
    });
    index.forEachPlace((entry, pack, bytes) => {
      if (live.has(entry) && use.keeps(pack, entry)) add(use.#kept, pack, bytes);
    });
    return use;
  }

  /** Whether this pack keeps a needed chunk. If no usable copy is known, every pack keeps its chunk. */
  keeps(pack: number, entry: number): boolean {
    const keeper = this.#keepers[entry] ?? NONE;
    return keeper === NONE || keeper === pack || this.#seconds.get(entry) === pack;
  }

  /** Bytes of all its chunks. */
  allOf(pack: number): number {
    return this.#all[pack] ?? 0;
  }

  /** Bytes of the chunks that must stay in this pack. */
  keptOf(pack: number): number {
    return this.#kept[pack] ?? 0;
  }

  /** Bytes of needed chunks that other packs keep. */
  copiesIn(pack: number): number {
    return (this.#needed[pack] ?? 0) - this.keptOf(pack);
  }

  #isBetter(pack: number, other: number): boolean {
    const [share, otherShare] = [pack, other].map((each) => (this.#needed[each] ?? 0) / Math.max(1, this.allOf(each)));
    if (share !== otherShare) return (share ?? 0) > (otherShare ?? 0);
    return pack < other;
  }
}

function add(sums: Float64Array, pack: number, bytes: number): void {
  sums[pack] = (sums[pack] ?? 0) + bytes;
}
