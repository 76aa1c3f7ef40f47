import type { SftpConnection } from "./sftp-connection.ts";

/** A server that does not answer for so long after an abort has lost its connection. */
const PATIENCE_MS = 2000;

/**
 * Waits for the outcome of what cannot be taken back, although the signal is aborted meanwhile. When that takes too long
 * the connection is broken, and the outcome is that it is lost.
 */
export async function decided<T>(work: Promise<T>, connection: SftpConnection, signal: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    timer = setTimeout(() => connection.drop(signal.reason), PATIENCE_MS);
  };
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    return await work;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
