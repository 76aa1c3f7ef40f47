import type { SftpConnection } from "./sftp-connection.ts";

/** How long after an abort the server may take to answer before the connection counts as lost. */
const PATIENCE_MS = 2000;

/**
 * Waits for the outcome of work that cannot be undone, even if the signal is aborted meanwhile. When that takes too
 * long it breaks the connection, and `work` rejects.
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
