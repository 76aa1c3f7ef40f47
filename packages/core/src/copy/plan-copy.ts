import { leavesOf, type MapLeaf, readLeaf } from "../repository/block-map/block-map-leaves.ts";
import { PAGE_ENTRIES } from "../repository/block-map/block-map-page.ts";
import type { BlockMapReader } from "../repository/block-map/block-map-reader.ts";
import { type ChunkId, sameId } from "../format/digest.ts";

/** Blocks that need no chunk: zeros, or the `same` as before. */
export interface CopySpan {
  readonly kind: "zero" | "same";
  readonly first: number;
  readonly count: number;
}

/** One block, with its chunk in the source. */
export interface CopyBlock {
  readonly kind: "block";
  readonly block: number;
  readonly id: ChunkId;
}

/**
 * Walks a disk of the source in order and compares it with `before`, the same disk in an earlier point of the source.
 * Reads pages, no chunks.
 * @throws IntegrityError for a lost page
 */
export async function* planCopy(
  map: BlockMapReader,
  before: BlockMapReader | undefined,
  signal: AbortSignal,
): AsyncGenerator<CopySpan | CopyBlock> {
  for await (const leaf of leavesOf(map, signal)) {
    if (leaf.kind === "lost") throw leaf.error;
    if (leaf.kind === "zero") yield leaf;
    else yield* planLeaf(leaf, await idsBefore(leaf, before, signal));
  }
}

type BlockLeaf = Extract<MapLeaf, { readonly kind: "blocks" }>;

/** The chunk ids of these blocks before, as far as they are readable. */
async function idsBefore(
  leaf: BlockLeaf,
  before: BlockMapReader | undefined,
  signal: AbortSignal,
): Promise<readonly (ChunkId | null)[]> {
  const number = leaf.first / PAGE_ENTRIES;
  if (before === undefined || number >= before.leafCount) return [];
  // An identical page needs no read.
  const other = await readLeaf(before, number, signal, (page) => sameId(page, leaf.page));
  if (other === undefined) return leaf.ids;
  return other.kind === "blocks" ? other.ids : [];
}

/** Merges neighbours that need no chunk into one span. */
function* planLeaf(leaf: BlockLeaf, before: readonly (ChunkId | null)[]): Generator<CopySpan | CopyBlock> {
  let span: CopySpan | undefined;
  for (const [at, id] of leaf.ids.entries()) {
    const block = leaf.first + at;
    const kind = kindOf(id, before[at] ?? null);
    if (span !== undefined && span.kind === kind) {
      span = { ...span, count: span.count + 1 };
      continue;
    }
    if (span !== undefined) yield span;
    span = kind === "block" ? undefined : { kind, first: block, count: 1 };
    if (kind === "block" && id !== null) yield { kind, block, id };
  }
  if (span !== undefined) yield span;
}

function kindOf(id: ChunkId | null, before: ChunkId | null): CopySpan["kind"] | "block" {
  if (id === null) return "zero";
  return before !== null && sameId(before, id) ? "same" : "block";
}
