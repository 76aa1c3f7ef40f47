import { open, type FileHandle } from "node:fs/promises";

import type { Backend, DirtyExtent, ZeroExtent } from "./backend.ts";
import { HttpRefusal, ImageioError } from "./errors.ts";

const ZEROES = Buffer.alloc(1024 * 1024);

/** The raw bytes of a file, qcow2 with its header. Like imageio, it detects no zeros and allows one writer. */
export class FileBackend implements Backend {
  readonly sizeBytes: number;
  readonly maxReaders = 8;
  readonly maxWriters = 1;
  readonly #file: FileHandle;
  readonly #path: string;

  private constructor(file: FileHandle, path: string, sizeBytes: number) {
    this.#file = file;
    this.#path = path;
    this.sizeBytes = sizeBytes;
  }

  static async open(path: string, writable: boolean): Promise<FileBackend> {
    const file = await open(path, writable ? "r+" : "r");
    return new FileBackend(file, path, (await file.stat()).size);
  }

  async readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    for (let done = 0; done < buffer.length;) {
      signal.throwIfAborted();
      const { bytesRead } = await this.#file.read(buffer, done, buffer.length - done, offset + done);
      if (bytesRead === 0) throw new ImageioError(`${this.#path} ends before ${offset + buffer.length}`);
      done += bytesRead;
    }
  }

  async write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    for (let done = 0; done < data.length;) {
      signal.throwIfAborted();
      const { bytesWritten } = await this.#file.write(data, done, data.length - done, offset + done);
      done += bytesWritten;
    }
  }

  async zero(offset: number, length: number, signal: AbortSignal): Promise<void> {
    for (let at = offset; at < offset + length; at += ZEROES.length) {
      await this.write(at, ZEROES.subarray(0, Math.min(ZEROES.length, offset + length - at)), signal);
    }
  }

  flush(): Promise<void> {
    return this.#file.datasync();
  }

  async *zeroExtents(): AsyncGenerator<ZeroExtent> {
    yield { start: 0, length: this.sizeBytes, zero: false, hole: false };
  }

  // oxlint-disable-next-line require-yield -- a file has none to tell about
  async *dirtyExtents(): AsyncGenerator<DirtyExtent> {
    throw new HttpRefusal(404, "Ticket does not support dirty extents");
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
