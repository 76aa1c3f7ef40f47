import type { BackupMode, Disk, DiskSource, Extent } from "@ovault/contract";
import { collectZeroExtents, type ExtentList, type ImageioClient } from "@ovault/ovirt";

import type { BackupWatch } from "./backup-watch.ts";

export interface SourceParts {
  readonly disk: Disk;
  readonly mode: BackupMode;
  readonly reason: string;
  readonly client: ImageioClient;
  readonly watch: BackupWatch;
  /** Extents of an incremental disk; other disks list theirs when they are read. */
  readonly changes: ExtentList | undefined;
}

/** One disk of a ready backup, read through imageio. */
export class BackupDiskSource implements DiskSource {
  readonly disk: Disk;
  readonly mode: BackupMode;
  readonly reason: string;
  readonly carrier = "imageio";
  readonly maxReads: number;
  /** The export shows the whole disk, not only what changed. */
  readonly readsUnchanged = true;
  readonly #client: ImageioClient;
  readonly #watch: BackupWatch;
  readonly #changes: ExtentList | undefined;

  constructor({ disk, mode, reason, client, watch, changes }: SourceParts) {
    this.disk = disk;
    this.mode = mode;
    this.reason = reason;
    this.maxReads = client.maxConnections;
    this.#client = client;
    this.#watch = watch;
    this.#changes = changes;
  }

  async *extents(signal: AbortSignal): AsyncGenerator<Extent> {
    const list = this.#changes ?? (await this.#explained(signal, () => this.#wholeDisk(signal)));
    yield* list;
  }

  async readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#explained(signal, () => this.#client.readInto(offset, buffer, signal));
  }

  #wholeDisk(signal: AbortSignal): Promise<ExtentList> {
    return collectZeroExtents(this.#client.extents("zero", signal));
  }

  async #explained<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    this.#watch.assertAlive();
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw await this.#watch.explain(error);
    }
  }
}
