/**
 * LZ4's end conditions: the last bytes of a block are literals, and its last match begins this long before its end.
 */
const LAST_LITERALS = 5;
const LAST_MATCH_START = 12;
const SHORTEST_MATCH = 4;
const DISTANCE_BYTES = 2;
/** A length in a token that continues in the bytes after it. */
const LONG = 15;

/**
 * Decodes one LZ4 block in plain JavaScript, at a fraction of the speed of LZ4's own library, for machines without it.
 * Answers the bytes written into `plain`, or -1 for an invalid block or one that does not fit. Neither reads nor writes
 * beyond the arrays, whatever the block holds. Of blocks that fill `plain` it accepts those that `LZ4_decompress_safe`
 * accepts, except for matches at distance 0, which no encoder makes and which have no defined content.
 */
export function decompressLz4(block: Uint8Array, plain: Uint8Array): number {
  const [blockEnd, plainEnd] = [block.byteLength, plain.byteLength];
  let from = 0;
  let to = 0;

  /** The rest of a length that begins with `first`; -1 when the block ends within it. */
  const readLength = (first: number): number => {
    let length = first;
    if (first < LONG) return length;
    for (;;) {
      const more = block[from++];
      if (more === undefined) return -1;
      length += more;
      if (more < 255) return length;
    }
  };

  for (;;) {
    const token = block[from++];
    if (token === undefined) return -1;
    const literals = readLength(token >> 4);
    if (literals < 0 || literals > blockEnd - from || literals > plainEnd - to) return -1;
    plain.set(block.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === blockEnd) return to;

    if (blockEnd - from < DISTANCE_BYTES || to > plainEnd - LAST_MATCH_START) return -1;
    const distance = (block[from] ?? 0) | ((block[from + 1] ?? 0) << 8);
    from += DISTANCE_BYTES;
    const rest = readLength(token & LONG);
    const length = rest + SHORTEST_MATCH;
    if (rest < 0 || distance === 0 || distance > to || length > plainEnd - LAST_LITERALS - to) return -1;
    copyMatch(plain, { to, distance, length });
    to += length;
  }
}

/** A match may overlap what it makes: it repeats the last `distance` bytes, twice as many with each step. */
function copyMatch(
  plain: Uint8Array,
  { to, distance, length }: { readonly to: number; readonly distance: number; readonly length: number },
): void {
  const start = to - distance;
  for (let done = 0; done < length;) {
    const bytes = Math.min(distance + done, length - done);
    plain.copyWithin(to + done, start, start + bytes);
    done += bytes;
  }
}
