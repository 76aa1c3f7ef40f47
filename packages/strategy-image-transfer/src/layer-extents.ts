import type { Extent } from "@ovault/contract";
import { ExtentList, type ImageioExtent } from "@ovault/ovirt";

/**
 * Extents of one layer seen by itself: its holes are what it leaves to the layers below, unchanged since they were frozen.
 * An explicit zero is none of them. Undefined where the daemon does not tell of zeros whether they are holes.
 */
export async function collectLayerExtents(
  extents: AsyncIterable<ImageioExtent>,
  baseBytes: number,
): Promise<ExtentList | undefined> {
  let isTold = true;
  async function* kinds(): AsyncGenerator<Extent> {
    for await (const { start, length, zero, hole } of extents) {
      if (zero && hole === undefined) isTold = false;
      yield { offset: start, length, kind: hole === true ? "unchanged" : zero ? "zero" : "data" };
    }
  }
  const list = new ExtentList();
  for await (const { length, kind } of withinBase(kinds(), baseBytes)) list.append(length, kind);
  return isTold ? list : undefined;
}

/** What lies past the end of a base of `baseBytes` cannot be unchanged: where a layer says nothing there, it is zeros. */
export async function* withinBase(extents: AsyncIterable<Extent>, baseBytes: number): AsyncGenerator<Extent> {
  for await (const extent of extents) {
    const { offset, length, kind } = extent;
    const known = Math.min(Math.max(baseBytes - offset, 0), length);
    if (kind !== "unchanged" || known === length) yield extent;
    else {
      if (known > 0) yield { offset, length: known, kind };
      yield { offset: offset + known, length: length - known, kind: "zero" };
    }
  }
}
