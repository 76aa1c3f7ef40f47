import type { FileHandle } from "node:fs/promises";

import { IntegrityError, type ObjectKey } from "@ovault/contract";

/** @throws IntegrityError when the file ends before the buffer is full */
export async function readFully(
  handle: FileHandle,
  into: Uint8Array,
  { key, offset }: { readonly key: ObjectKey; readonly offset: number },
): Promise<void> {
  for (let done = 0; done < into.byteLength;) {
    const { bytesRead } = await handle.read(into, done, into.byteLength - done, offset + done);
    if (bytesRead === 0) throw new IntegrityError(`image ${key} ends at byte ${offset + done}`, { context: { key } });
    done += bytesRead;
  }
}
