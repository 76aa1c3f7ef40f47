/**
 * Calls `work` for every item, with at most `lanes` calls under way. Pulls an item only when a lane is free, so that an
 * endless sequence costs no memory. The first failure, or the caller's signal, aborts the signal passed to `work` and
 * stops the pulling.
 * @throws the first failure or the signal's reason, after everything under way has settled
 */
export async function inLanes<T>(
  items: AsyncIterable<T> | Iterable<T>,
  lanes: number,
  work: (item: T, signal: AbortSignal) => Promise<unknown>,
  signal?: AbortSignal,
): Promise<void> {
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;

  const lane = async (): Promise<void> => {
    try {
      for (;;) {
        either.throwIfAborted();
        const next = await iterator.next();
        if (next.done === true) return;
        either.throwIfAborted();
        await work(next.value, either);
      }
    } catch (error) {
      failure ??= { error };
      failed.abort(error);
    }
  };

  await Promise.all(Array.from({ length: lanes }, lane));
  await iterator.return?.();
  if (failure !== undefined) throw failure.error;
}
