import type { BackupMode, Disk, DiskSource, Extent } from "@ovault/contract";
import { withinBase } from "@ovault/ovirt";

import type { ServedVolume } from "../serving/served-volume.ts";

/** Reads under way for each connection. */
const READS_PER_CONNECTION = 2;

export interface ServedDiskParts {
  readonly disk: Disk;
  readonly mode: BackupMode;
  readonly reason: string;
  readonly served: ServedVolume;
  /** For an increment: the size of the disk in the base point, in bytes. */
  readonly baseBytes: number | undefined;
}

/** A disk that a host serves. For an increment, only the layers above the base. */
export class ServedDiskSource implements DiskSource {
  readonly disk: Disk;
  readonly mode: BackupMode;
  readonly reason: string;
  readonly carrier: string;
  readonly maxReads: number;
  readonly readsUnchanged: boolean;
  readonly #served: ServedVolume;
  readonly #baseBytes: number | undefined;

  constructor({ disk, mode, reason, served, baseBytes }: ServedDiskParts) {
    this.disk = disk;
    this.mode = mode;
    this.reason = reason;
    this.carrier = served.carrier;
    this.maxReads = served.connections * READS_PER_CONNECTION;
    this.readsUnchanged = baseBytes === undefined;
    this.#served = served;
    this.#baseBytes = baseBytes;
  }

  /** Whether `extents` knows more than that everything may be data. */
  get tellsAllocation(): boolean {
    return this.#served.tellsAllocation;
  }

  async *extents(signal: AbortSignal): AsyncGenerator<Extent> {
    const isLayer = this.#baseBytes !== undefined;
    const extents = allocated(this.#served, { bytes: this.disk.logicalBytes, isLayer }, signal);
    if (this.#baseBytes === undefined) yield* extents;
    else yield* withinBase(extents, this.#baseBytes);
  }

  readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#served.use((client) => client.readInto(offset, buffer, signal), signal);
  }

  release(): Promise<void> {
    return this.#served.close();
  }
}

/**
 * What is allocated within the first `bytes`. A hole of layers that stand alone is what they leave to those below; zeros
 * that are allocated are zeros.
 */
async function* allocated(
  served: ServedVolume,
  { bytes, isLayer }: { readonly bytes: number; readonly isLayer: boolean },
  signal: AbortSignal,
): AsyncGenerator<Extent> {
  if (!served.tellsAllocation) {
    yield { offset: 0, length: bytes, kind: "data" };
    return;
  }
  for (let offset = 0; offset < bytes;) {
    for (const { length, isHole, isZero } of await served.allocation(offset, signal)) {
      const kind = isLayer && isHole ? "unchanged" : isZero ? "zero" : "data";
      const within = Math.min(length, bytes - offset);
      if (within > 0) yield { offset, length: within, kind };
      offset += within;
    }
  }
}
