import { inLanes } from "@ovault/contract";
import { endsEarly, type ExactRead } from "@ovault/file-tree";

import { PIECES_UNDER_WAY, spans } from "./pieces.ts";
import type { Handle, SftpConnection } from "./sftp-connection.ts";

/** Reads the whole range. @throws IntegrityError when the file ends before the range. */
export async function readExactly(
  connection: SftpConnection,
  handle: Handle,
  { key, offset, length }: ExactRead,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const whole = Buffer.allocUnsafeSlow(length);
  await inLanes(spans(length), PIECES_UNDER_WAY, async ({ from, to }) => {
    for (let done = from; done < to;) {
      signal.throwIfAborted();
      const bytes = await connection.read(handle, whole.subarray(done, to), offset + done);
      if (bytes === 0) throw endsEarly(key, offset + done, offset + length);
      done += bytes;
    }
  });
  return whole;
}
