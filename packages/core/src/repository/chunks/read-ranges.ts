import { compareText } from "@ovault/contract";
import type { PackEntry } from "../packs/pack-entries.ts";

/** A chunk, and the pack it lies in. */
export interface PlacedChunk {
  readonly pack: string;
  readonly entry: PackEntry;
}

/** Chunks of one pack that one request reads. In bytes, from the start of the pack. */
export interface ReadRange {
  readonly pack: string;
  readonly offset: number;
  readonly length: number;
  readonly entries: readonly PackEntry[];
}

/** Reading unneeded bytes up to this size costs less than another request. */
const LARGEST_GAP_BYTES = 256 * 1024;
const LARGEST_RANGE_BYTES = 16 * 1024 * 1024;

/**
 * The requests that read all these chunks, neighbours together, in whatever order they come. None reads more than
 * `largestBytes`, unless a single chunk is larger.
 */
export function readRanges(chunks: readonly PlacedChunk[], largestBytes = LARGEST_RANGE_BYTES): readonly ReadRange[] {
  const sorted = chunks.toSorted((a, b) => compareText(a.pack, b.pack) || a.entry.offset - b.entry.offset);
  const ranges: { pack: string; offset: number; length: number; entries: PackEntry[] }[] = [];
  for (const { pack, entry } of sorted) {
    const last = ranges.at(-1);
    const end = entry.offset + entry.storedBytes;
    const isNear =
      last?.pack === pack &&
      entry.offset <= last.offset + last.length + LARGEST_GAP_BYTES &&
      end - last.offset <= largestBytes;
    if (last !== undefined && isNear) {
      last.length = Math.max(last.length, end - last.offset);
      last.entries.push(entry);
    } else {
      ranges.push({ pack, offset: entry.offset, length: entry.storedBytes, entries: [entry] });
    }
  }
  return ranges;
}
