import {
  SourceError,
  type BackupMode,
  type Disk,
  type DiskReader,
  type DiskSource,
  type Extent,
} from "@ovault/contract";

import { damagedCopy } from "./damaged-copy.ts";

const MAX_READS = 4;

/** A disk of an exported clone. */
export class StagedDiskSource implements DiskSource {
  readonly disk: Disk;
  readonly mode: BackupMode;
  readonly reason: string;
  readonly maxReads = MAX_READS;
  readonly readsUnchanged = true;
  readonly carrier = "export domain";
  readonly #reader: DiskReader;

  /** @throws SourceError when the export is shorter than the disk */
  constructor(
    { disk, mode, reason }: { readonly disk: Disk; readonly mode: BackupMode; readonly reason: string },
    reader: DiskReader,
  ) {
    if (reader.logicalBytes < disk.logicalBytes) {
      throw new SourceError(
        `the export of disk ${disk.alias} has ${reader.logicalBytes} bytes, the disk ${disk.logicalBytes}`,
      );
    }
    this.disk = disk;
    this.mode = mode;
    this.reason = reason;
    this.#reader = reader;
  }

  /** Storage may have rounded the size up. */
  async *extents(signal: AbortSignal): AsyncGenerator<Extent> {
    signal.throwIfAborted();
    const { logicalBytes } = this.disk;
    for await (const { offset, length, kind } of this.#reader.extents(signal)) {
      if (offset >= logicalBytes) return;
      yield { offset, length: Math.min(length, logicalBytes - offset), kind };
    }
  }

  async readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    try {
      await this.#reader.readInto(offset, buffer, signal);
    } catch (error) {
      throw damagedCopy(this.disk.alias, error);
    }
  }
}
