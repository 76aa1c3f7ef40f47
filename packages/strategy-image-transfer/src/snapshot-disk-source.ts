import type { BackupMode, Disk, DiskSource, Extent } from "@ovault/contract";

import type { DiskView } from "./disk-view.ts";
import type { TransferWatch } from "./transfer-watch.ts";

export interface SourceParts {
  readonly disk: Disk;
  readonly mode: BackupMode;
  readonly reason: string;
  readonly maxReads: number;
  readonly view: DiskView;
  readonly watch: TransferWatch;
}

/** One disk as a snapshot froze it. For an increment, only what the layer holds can be read. */
export class SnapshotDiskSource implements DiskSource {
  readonly disk: Disk;
  readonly mode: BackupMode;
  readonly reason: string;
  readonly carrier = "imageio";
  readonly maxReads: number;
  readonly readsUnchanged: boolean;
  readonly #view: DiskView;
  readonly #watch: TransferWatch;

  constructor({ disk, mode, reason, maxReads, view, watch }: SourceParts) {
    this.disk = { ...disk, logicalBytes: view.logicalBytes };
    this.mode = mode;
    this.reason = reason;
    this.maxReads = maxReads;
    this.readsUnchanged = mode !== "incremental";
    this.#view = view;
    this.#watch = watch;
  }

  async *extents(signal: AbortSignal): AsyncGenerator<Extent> {
    try {
      yield* this.#view.extents(signal);
    } catch (error) {
      throw await this.#explained(error, signal);
    }
  }

  async readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    try {
      await this.#view.readInto(offset, buffer, signal);
    } catch (error) {
      throw await this.#explained(error, signal);
    }
  }

  async #explained(error: unknown, signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted();
    return await this.#watch.explain(error);
  }
}
