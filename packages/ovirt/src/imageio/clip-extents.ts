import { SourceError } from "@ovault/contract";

import type { ImageioExtent } from "./parse-extents.ts";

/**
 * The part of gapless extents that lies in `from`..`to`. The daemon lists its whole export, which can reach past the
 * transfer. @throws SourceError when the list ends before `to`
 */
export async function* clipExtents(
  extents: AsyncIterable<ImageioExtent>,
  from: number,
  to: number,
): AsyncGenerator<ImageioExtent> {
  let covered = 0;
  for await (const extent of extents) {
    const start = Math.max(extent.start, from);
    covered = extent.start + extent.length;
    const end = Math.min(covered, to);
    if (start < end) yield { ...extent, start, length: end - start };
  }
  if (covered < to) {
    throw new SourceError(`imageio shows ${covered} bytes of a disk of ${to}`, { context: { covered, expected: to } });
  }
}
