import { open, type FileHandle } from "node:fs/promises";

import type { ByteSource } from "./byte-source.ts";
import { ImageCorruptError } from "./errors.ts";

/** An open local file. */
export class FileByteSource implements ByteSource, AsyncDisposable {
  readonly fileBytes: number;
  readonly #handle: FileHandle;

  static async open(path: string): Promise<FileByteSource> {
    return await FileByteSource.of(await open(path, "r"));
  }

  /** Takes over a handle, and closes it. */
  static async of(handle: FileHandle): Promise<FileByteSource> {
    try {
      return new FileByteSource(handle, (await handle.stat()).size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  private constructor(handle: FileHandle, fileBytes: number) {
    this.#handle = handle;
    this.fileBytes = fileBytes;
  }

  async readInto(offset: number, target: Uint8Array, signal: AbortSignal): Promise<void> {
    for (let done = 0; done < target.length;) {
      signal.throwIfAborted();
      const { bytesRead } = await this.#handle.read(target, done, target.length - done, offset + done);
      if (bytesRead === 0) throw new ImageCorruptError(`the file ends at ${offset + done}`, { context: { offset } });
      done += bytesRead;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
