/** How long to wait for the answer that decides whether the object exists. */
export const GRACE_MS = 5_000;

/**
 * Does `work` with a signal that cuts its request when `signal` fires: at once while `isSent` is false, because an
 * incomplete request has no effect; else some seconds later, because an unknown object would remain. An answer that
 * comes in time counts.
 */
export async function cutBefore<T>(
  isSent: () => boolean,
  signal: AbortSignal,
  work: (cut: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const cut = new AbortController();
  let grace: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    if (isSent()) grace = setTimeout(() => cut.abort(signal.reason), GRACE_MS);
    else cut.abort(signal.reason);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await work(cut.signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(grace);
    signal.removeEventListener("abort", onAbort);
  }
}
