import * as fc from "fast-check";

import type { Extent, ExtentKind } from "@ovault/contract";

/** Lists of extents as a source may give them: ascending, gapless from 0, of any lengths; none for an empty disk. */
export function arbitraryExtents(
  kinds: readonly ExtentKind[] = ["data", "zero", "unchanged"],
  maxExtents = 12,
): fc.Arbitrary<Extent[]> {
  const piece = fc.record({ length: fc.integer({ min: 1, max: 100_000 }), kind: fc.constantFrom(...kinds) });
  return fc.array(piece, { maxLength: maxExtents }).map((pieces) => {
    let end = 0;
    return pieces.map(({ length, kind }) => ({ offset: (end += length) - length, length, kind }));
  });
}
