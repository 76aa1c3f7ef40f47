import type { Extent } from "@ovault/contract";
import { ExtentList, type ImageioExtent } from "@ovault/ovirt";

/**
 * Extents of a single layer: its holes are unchanged since the layers below were frozen. An explicit zero is not a
 * hole. Undefined where the daemon does not distinguish holes from zeros.
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

/** Nothing past the end of a base of `baseBytes` is unchanged: where the layer holds nothing there, it is zeros. */
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
