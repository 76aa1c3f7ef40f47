import { type Extent, SourceError } from "@ovault/contract";

/**
 * Passes extents through and checks their contract: ascending, gapless, not empty, covering exactly `logicalBytes`. A
 * source that breaks it would silently lose data, so this throws a SourceError.
 */
export async function* validateExtents(extents: AsyncIterable<Extent>, logicalBytes: number): AsyncGenerator<Extent> {
  let expected = 0;
  for await (const extent of extents) {
    const { offset, length } = extent;
    const valid = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && length > 0 && offset === expected;
    if (!valid || offset + length > logicalBytes) {
      throw new SourceError(`extent at ${offset} (${length} bytes) does not continue the list at ${expected}`, {
        context: { offset, length, expected, logicalBytes },
      });
    }
    expected = offset + length;
    yield extent;
  }
  if (expected !== logicalBytes) {
    throw new SourceError(`extents end at ${expected}, the disk has ${logicalBytes} bytes`, {
      context: { expected, logicalBytes },
    });
  }
}
