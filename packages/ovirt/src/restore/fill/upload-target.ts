import type { DiskTarget } from "@ovault/contract";

import type { ImageioClient } from "../../imageio/imageio-client.ts";

/** imageio zeroes a range completely before it answers; ranges of this size stay below the time-out. */
const MAX_ZERO_BYTES = 1024 * 1024 * 1024;

export interface UploadTargetParts {
  readonly diskId: string;
  readonly logicalBytes: number;
  /** Size of the new disk; what lies past `logicalBytes` must read as zeros. */
  readonly madeBytes: number;
  readonly client: ImageioClient;
  /** False when the new disk reads as zeros already: then zeros are skipped and stay unallocated. */
  readonly writeZeros: boolean;
}

/** A new disk on the engine, filled through imageio. */
export class UploadTarget implements DiskTarget {
  readonly diskId: string;
  readonly logicalBytes: number;
  readonly carrier = "imageio";
  readonly maxWrites: number;
  readonly #client: ImageioClient;
  readonly #writeZeros: boolean;
  readonly #madeBytes: number;

  constructor({ diskId, logicalBytes, madeBytes, client, writeZeros }: UploadTargetParts) {
    this.diskId = diskId;
    this.logicalBytes = logicalBytes;
    this.maxWrites = client.maxConnections;
    this.#client = client;
    this.#writeZeros = writeZeros;
    this.#madeBytes = madeBytes;
  }

  write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#client.write(offset, data, signal);
  }

  async zero(offset: number, length: number, signal: AbortSignal): Promise<void> {
    if (!this.#writeZeros) return;
    for (let done = 0; done < length; done += MAX_ZERO_BYTES) {
      await this.#client.zero(offset + done, Math.min(MAX_ZERO_BYTES, length - done), signal);
    }
  }

  async flush(signal: AbortSignal): Promise<void> {
    await this.zero(this.logicalBytes, this.#madeBytes - this.logicalBytes, signal);
    await this.#client.flush(signal);
  }
}
