import type { DiskTarget } from "@ovault/contract";
import { NbdRequestError } from "@ovault/nbd";

import { VolumeFullError } from "../errors.ts";
import type { ServedVolume } from "../serving/served-volume.ts";

/** Writes under way for each connection. */
const WRITES_PER_CONNECTION = 2;
/** Storage may zero slowly, and a request must end within the time-out. */
const ZERO_STEP_BYTES = 64 * 1024 * 1024;

export interface ServedTargetParts {
  readonly diskId: string;
  readonly alias: string;
  readonly logicalBytes: number;
  /** Size of the new disk; what lies past `logicalBytes` must read as zeros. */
  readonly madeBytes: number;
  /** False when the new disk reads as zeros already: then zeros are skipped and stay unallocated. */
  readonly writeZeros: boolean;
  readonly served: ServedVolume;
  /** For people: the storage domain. */
  readonly domain: string;
}

/** A new disk that a host serves. */
export class ServedDiskTarget implements DiskTarget {
  readonly diskId: string;
  readonly logicalBytes: number;
  readonly carrier: string;
  readonly maxWrites: number;
  readonly #parts: ServedTargetParts;

  constructor(parts: ServedTargetParts) {
    this.diskId = parts.diskId;
    this.logicalBytes = parts.logicalBytes;
    this.carrier = parts.served.carrier;
    this.maxWrites = parts.served.connections * WRITES_PER_CONNECTION;
    this.#parts = parts;
  }

  async write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    const { served } = this.#parts;
    await this.#told(served.use((client) => client.write(offset, this.#whole(offset, data), {}, signal), signal));
  }

  async zero(offset: number, length: number, signal: AbortSignal): Promise<void> {
    const { served, writeZeros } = this.#parts;
    if (!writeZeros) return;
    const [start, end] = [roundUp(offset, served.minBlockBytes), roundUp(offset + length, served.minBlockBytes)];
    for (let at = start; at < end; at += ZERO_STEP_BYTES) {
      const step = Math.min(ZERO_STEP_BYTES, end - at);
      // The disk is preallocated: its space stays reserved.
      await this.#told(served.use((client) => client.writeZeroes(at, step, { mayTrim: false }, signal), signal));
    }
  }

  async flush(signal: AbortSignal): Promise<void> {
    const { served, madeBytes } = this.#parts;
    await this.zero(this.logicalBytes, madeBytes - this.logicalBytes, signal);
    await this.#told(served.flush(signal));
  }

  /** The end of a disk may lie within a block of its volume: zeros fill that. */
  #whole(offset: number, data: Uint8Array): Uint8Array {
    const end = offset + data.byteLength;
    const missing = roundUp(end, this.#parts.served.minBlockBytes) - end;
    return missing > 0 && end === this.logicalBytes ? Buffer.concat([data, Buffer.alloc(missing)]) : data;
  }

  /** @throws VolumeFullError in place of an error without a next step */
  async #told(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (!(cause instanceof NbdRequestError) || cause.errno !== "ENOSPC") throw error;
      const { alias, domain } = this.#parts;
      throw new VolumeFullError(`no room for disk ${alias} on storage domain ${domain}`, {
        cause: error,
        context: { disk: this.diskId, storageDomain: domain },
        hint: (field) =>
          `On file storage, free space or pass ${field("storageDomain")}. On block storage the engine made the volume too small: ` +
          "restore to file storage, or with another strategy.",
      });
    }
  }
}

function roundUp(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}
