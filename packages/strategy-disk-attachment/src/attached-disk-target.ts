import type { DiskTarget } from "@ovault/contract";

import type { AttachedDisk } from "./attached-disk.ts";
import type { Attachment } from "./attachment.ts";
import { deviceFailed } from "./device-failed.ts";
import { runTool } from "./run-tool.ts";
import { writeFully } from "./write-fully.ts";
import { zeroRange } from "./zero-range.ts";

const MAX_WRITES = 4;
const FLUSH_TIMEOUT_MS = 10 * 60_000;

export interface TargetParts {
  readonly diskId: string;
  readonly logicalBytes: number;
  /** Size of the new disk; what lies past `logicalBytes` must read as zeros. */
  readonly madeBytes: number;
  /** False when the new disk reads as zeros already: then zeros are skipped and stay unallocated. */
  readonly writeZeros: boolean;
  readonly attached: AttachedDisk;
}

/** A new disk, filled as a device. */
export class AttachedDiskTarget implements DiskTarget {
  readonly diskId: string;
  readonly logicalBytes: number;
  readonly carrier = "proxy VM";
  readonly maxWrites = MAX_WRITES;
  readonly #madeBytes: number;
  readonly #writeZeros: boolean;
  readonly #attached: AttachedDisk;

  constructor({ diskId, logicalBytes, madeBytes, writeZeros, attached }: TargetParts) {
    this.diskId = diskId;
    this.logicalBytes = logicalBytes;
    this.#madeBytes = madeBytes;
    this.#writeZeros = writeZeros;
    this.#attached = attached;
  }

  async write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#onDevice(`written at ${offset}`, signal, ({ file }) => writeFully(file, offset, data));
  }

  async zero(offset: number, length: number, signal: AbortSignal): Promise<void> {
    if (!this.#writeZeros || length === 0) return;
    await this.#onDevice(`zeroed at ${offset}`, signal, ({ device, file }) =>
      zeroRange(device, file, { offset, length }, signal),
    );
  }

  /** Releases the disk afterwards, to make room for the next one. */
  async flush(signal: AbortSignal): Promise<void> {
    await this.zero(this.logicalBytes, this.#madeBytes - this.logicalBytes, signal);
    // A thin disk of only zeros.
    if (!this.#attached.wasOpened) return;
    await this.#onDevice("flushed", signal, async ({ device, file }) => {
      await file.sync();
      if (device.sysfs === undefined) return;
      await runTool("blockdev", ["--flushbufs", device.path], { timeoutMs: FLUSH_TIMEOUT_MS, signal });
    });
    await this.#attached.close();
  }

  async #onDevice(what: string, signal: AbortSignal, work: (attachment: Attachment) => Promise<void>): Promise<void> {
    const attachment = await this.#attached.open(signal);
    try {
      await work(attachment);
    } catch (error) {
      signal.throwIfAborted();
      throw deviceFailed(attachment.device, what, error);
    }
  }
}
