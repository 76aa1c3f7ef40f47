/** For the answer to arrive that says what became of the object. */
export const GRACE_MS = 5_000;

/**
 * Does `work` with a signal that cuts its request when `signal` fires: at once while `isSent` is false, for nothing can
 * come of a request that is not complete; else some seconds later, because an object that nobody knows of would remain.
 * When the answer comes in time, it counts.
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
