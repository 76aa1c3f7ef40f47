import { inLanes, IntegrityError, type ObjectKey } from "@ovault/contract";

import { PIECES_UNDER_WAY, spans } from "./pieces.ts";
import type { Handle, SftpConnection } from "./sftp-connection.ts";

export interface ExactRead {
  readonly key: ObjectKey;
  readonly offset: number;
  readonly length: number;
}

/** Reads the range whole. @throws IntegrityError when the file ends before it does. */
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

export function endsEarly(key: ObjectKey, bytes: number, expected: number): IntegrityError {
  return new IntegrityError(`${key} ends at byte ${bytes}, expected ${expected} or more`, {
    context: { key, bytes, expected },
  });
}
