import { ExtentList, type ImageioExtent } from "@ovault/ovirt";

/**
 * Extents of an increment: what is dirty is data or zeros, everything else unchanged since a base of `baseBytes`. A disk
 * that has grown holds nothing unchanged past that size, whatever the bitmap says.
 */
export async function collectDirtyExtents(
  extents: AsyncIterable<ImageioExtent>,
  baseBytes: number,
): Promise<ExtentList> {
  const list = new ExtentList();
  for await (const { start, length, dirty, zero } of extents) {
    if (dirty !== false) {
      list.append(length, zero ? "zero" : "data");
      continue;
    }
    // The zero flag of clean extents means nothing.
    const unchanged = Math.min(Math.max(baseBytes - start, 0), length);
    if (unchanged > 0) list.append(unchanged, "unchanged");
    if (unchanged < length) list.append(length - unchanged, "data");
  }
  return list;
}
