import type { ChunkIndex } from "../repository/index/chunk-index.ts";
import { BitSet } from "../util/bit-set.ts";

/** Distinct pages of block maps that the index knows, also those that only forgotten points have. */
export function countKnownPages(index: ChunkIndex): number {
  const holdsPages = Array.from(index.packs, ({ kind }) => kind === "pages");
  const seen = new BitSet();
  let pages = 0;
  index.forEachPlace((entry, pack) => {
    if (holdsPages[pack] === true && seen.add(entry)) pages += 1;
  });
  return pages;
}
