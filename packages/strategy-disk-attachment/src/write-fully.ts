import type { FileHandle } from "node:fs/promises";

/** Writes all of it. */
export async function writeFully(file: FileHandle, offset: number, data: Uint8Array): Promise<void> {
  for (let done = 0; done < data.byteLength;) {
    const { bytesWritten } = await file.write(data, done, data.byteLength - done, offset + done);
    done += bytesWritten;
  }
}
