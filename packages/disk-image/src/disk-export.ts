import { ALLOCATION, type BlockStatus, type NbdExport } from "@ovault/nbd";

import type { RangedDisk, WritableRangedDisk } from "./ranged-disk.ts";

export interface DiskExportOptions {
  readonly description: string;
  /** Called for every read or write that fails for another reason than a client that is gone. */
  readonly onError: (error: unknown) => void;
}

/** Extents in one answer. Clients ask again from where an answer ends. */
const MOST_RUNS = 4096;

/** A disk as an NBD export, with `base:allocation`; writable if the disk is. */
export function exportOf(disk: RangedDisk | WritableRangedDisk, options: DiskExportOptions): NbdExport {
  const telling = async <T>(work: Promise<T>, signal: AbortSignal): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      if (!signal.aborted) options.onError(error);
      throw error;
    }
  };
  const readable = {
    logicalBytes: disk.logicalBytes,
    description: options.description,
    readInto: (offset: number, buffer: Uint8Array, signal: AbortSignal) =>
      telling(disk.readInto(offset, buffer, signal), signal),
    blockStatus: (_context: string, offset: number, length: number, signal: AbortSignal) =>
      telling(statusOf(disk, { offset, length }, signal), signal),
  };
  if (!("write" in disk)) return { ...readable, readOnly: true };
  const zero = (offset: number, length: number, signal: AbortSignal): Promise<void> =>
    telling(disk.zero(offset, length, signal), signal);
  return {
    ...readable,
    readOnly: false,
    write: (offset, data, signal) => telling(disk.write(offset, data, signal), signal),
    zero: (offset, length, _options, signal) => zero(offset, length, signal),
    trim: zero,
    flush: (signal) => telling(disk.flush(signal), signal),
  };
}

async function statusOf(
  disk: RangedDisk,
  range: { readonly offset: number; readonly length: number },
  signal: AbortSignal,
): Promise<readonly BlockStatus[]> {
  const runs: BlockStatus[] = [];
  for await (const { length, kind } of disk.extentsOf(range, signal)) {
    runs.push({ length, flags: kind === "zero" ? ALLOCATION.hole | ALLOCATION.zero : 0 });
    if (runs.length === MOST_RUNS) break;
  }
  return runs;
}
