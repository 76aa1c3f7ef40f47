import type { BackupMode, Disk, DiskSource, Extent } from "@ovault/contract";

import type { DeviceOnDemand } from "./attached-disk.ts";
import { deviceFailed } from "./device-failed.ts";
import { DeviceError } from "./errors.ts";

/** Enough concurrent reads to keep a device busy while blocks are hashed. */
const MAX_READS = 4;

export interface SourceParts {
  /** With its size at the time of the snapshot. */
  readonly disk: Disk;
  readonly mode: BackupMode;
  readonly reason: string;
  readonly attached: DeviceOnDemand;
}

/** A disk of a snapshot, read as a device. A device does not show zeros or changes: core finds them by reading. */
export class AttachedDiskSource implements DiskSource {
  readonly disk: Disk;
  readonly carrier = "proxy VM";
  readonly mode: BackupMode;
  readonly reason: string;
  readonly maxReads = MAX_READS;
  readonly readsUnchanged = true;
  readonly #attached: DeviceOnDemand;

  constructor({ disk, mode, reason, attached }: SourceParts) {
    this.disk = disk;
    this.mode = mode;
    this.reason = reason;
    this.#attached = attached;
  }

  async *extents(signal: AbortSignal): AsyncGenerator<Extent> {
    await this.#attached.open(signal);
    yield { offset: 0, length: this.disk.logicalBytes, kind: "data" };
  }

  async readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    const { file, device } = await this.#attached.open(signal);
    for (let done = 0; done < buffer.byteLength;) {
      signal.throwIfAborted();
      const place = { offset: done, length: buffer.byteLength - done, position: offset + done };
      const { bytesRead } = await file.read(buffer, place).catch((error: unknown) => {
        throw deviceFailed(device, `read at ${offset + done}`, error);
      });
      if (bytesRead === 0) throw new DeviceError(`${device.path} ends at ${offset + done}, before the disk does`);
      done += bytesRead;
    }
  }

  async release(): Promise<void> {
    await this.#attached.close();
  }
}
