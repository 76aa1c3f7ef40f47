import { ExtentList, type ImageioExtent } from "@ovault/ovirt";

/**
 * Extents of an increment: dirty ranges are data or zeros, everything else is unchanged since a base of `baseBytes`.
 * Nothing past that size counts as unchanged, whatever the bitmap says.
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
