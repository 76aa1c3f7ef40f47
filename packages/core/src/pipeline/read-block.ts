import { type DiskSource, SourceError, copyInto } from "@ovault/contract";
import type { BlockRead } from "./plan-blocks.ts";

/**
 * The plain bytes of a block of the base recovery point; undefined for a block of zeros. If the disk has grown since,
 * its old last block is shorter; zeros follow it.
 */
export type ReadBaseBlock = (block: number, signal: AbortSignal) => Promise<Uint8Array | undefined>;

/**
 * Fills `buffer` (exactly the block's length) with the block's bytes and resolves to the bytes taken from the source.
 * One request covers everything from the first to the last part that is not zero; zeros between cost less than a second
 * request. Only a source that cannot read unchanged ranges gets one request per part, and the base fills the rest.
 */
export async function readBlock(
  { block, offset, parts }: BlockRead,
  buffer: Uint8Array,
  source: DiskSource,
  readBase: ReadBaseBlock | undefined,
  signal: AbortSignal,
): Promise<number> {
  const filled = parts.filter((part) => part.kind !== "zero");
  if (source.readsUnchanged || filled.every((part) => part.kind === "data")) {
    const start = filled[0]?.start ?? 0;
    const end = filled.at(-1)?.end ?? 0;
    buffer.fill(0, 0, start);
    buffer.fill(0, end);
    await source.readInto(offset + start, buffer.subarray(start, end), signal);
    return end - start;
  }
  if (readBase === undefined) {
    throw new SourceError(`block ${block} is partly unchanged but there is no base`, { context: { block } });
  }
  const base = await readBase(block, signal);
  if (base !== undefined) copyInto(buffer, base);
  buffer.fill(0, base?.byteLength ?? 0);
  let read = 0;
  for (const { start, end, kind } of parts) {
    if (kind === "zero") buffer.fill(0, start, end);
    if (kind !== "data") continue;
    await source.readInto(offset + start, buffer.subarray(start, end), signal);
    read += end - start;
  }
  return read;
}
