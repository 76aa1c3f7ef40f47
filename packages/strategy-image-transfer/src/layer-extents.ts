import type { Extent } from "@ovault/contract";
import { ExtentList, type ImageioExtent, withinBase } from "@ovault/ovirt";

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
