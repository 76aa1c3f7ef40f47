import { type DiskReader, type DiskTarget, IntegrityError, messageOf, StoreMediumError } from "@ovault/contract";
import { type DiskRange, type RestoreItem, restoreInLanes, type RestoreTotals } from "../pipeline/restore-in-lanes.ts";
import { validateExtents } from "../pipeline/validate-extents.ts";
import type { RestoreDiskOptions } from "../points/point-store.ts";

/** Restores one disk from its image: data as large as a buffer at once, zeros as ranges; then flushes. */
export async function restoreImage(
  image: DiskReader,
  target: DiskTarget,
  options: RestoreDiskOptions,
): Promise<RestoreTotals> {
  const restore = async ({ offset, length }: DiskRange, room: Uint8Array, signal: AbortSignal) => {
    const plain = room.subarray(0, length);
    try {
      await image.readInto(offset, plain, signal);
    } catch (error) {
      if (options.onLost === undefined || !isDamage(error)) throw error;
      options.onLost({ offset, length, reason: messageOf(error) });
      await target.zero(offset, length, signal);
      return { doneBytes: length, writtenBytes: 0 };
    }
    await target.write(offset, plain, signal);
    return { doneBytes: length, writtenBytes: length };
  };
  return await restoreInLanes({ ...options, items: planRestore(image, options), restore, target });
}

async function* planRestore(
  image: DiskReader,
  { buffers, signal }: RestoreDiskOptions,
): AsyncGenerator<RestoreItem<DiskRange>> {
  const { bufferBytes } = buffers;
  for await (const { offset, length, kind } of validateExtents(image.extents(signal), image.logicalBytes)) {
    if (kind === "zero") {
      yield { kind: "zeros", range: { offset, length } };
      continue;
    }
    for (let at = 0; at < length; at += bufferBytes) {
      yield { kind: "data", data: { offset: offset + at, length: Math.min(bufferBytes, length - at) } };
    }
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof IntegrityError || error instanceof StoreMediumError;
}
