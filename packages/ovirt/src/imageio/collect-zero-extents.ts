import { ExtentList } from "./extent-list.ts";
import type { ImageioExtent } from "./parse-extents.ts";

/** Extents of a disk that is read in full: data, and zeros that are skipped. */
export async function collectZeroExtents(extents: AsyncIterable<ImageioExtent>): Promise<ExtentList> {
  const list = new ExtentList();
  for await (const { length, zero } of extents) list.append(length, zero ? "zero" : "data");
  return list;
}
