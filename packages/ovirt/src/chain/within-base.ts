import type { Extent } from "@ovault/contract";

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
