import type { FileHandle } from "node:fs/promises";

import { endsEarly, type ExactRead } from "@ovault/file-tree";

/** Bytes between two checks of the signal. */
const STEP_BYTES = 8 * 1024 * 1024;

/** Reads the whole range. @throws IntegrityError when the file ends before the range. */
export async function readExactly(
  handle: FileHandle,
  { key, offset, length }: ExactRead,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length;) {
    signal.throwIfAborted();
    const step = Math.min(STEP_BYTES, length - done);
    const { bytesRead } = await handle.read(buffer, done, step, offset + done);
    if (bytesRead === 0) throw endsEarly(key, offset + done, offset + length);
    done += bytesRead;
  }
  return buffer;
}
