import { Observable } from "rxjs";

import { CancelledError } from "@ovault/contract";

/**
 * Runs `work` over a pulled sequence with at most `lanes` items under way, and emits results as they come.
 *
 * This is where back-pressure lives: an item is pulled only when a lane is free, which `mergeMap` over an iterable would
 * not promise. The observable ends, well or in error, only after everything in flight has settled. The first failure,
 * the caller's signal, or unsubscribing aborts the signal that `work` is given.
 */
export function pullInLanes<T, R>(
  source: AsyncIterable<T> | Iterable<T>,
  lanes: number,
  work: (item: T, signal: AbortSignal) => Promise<R>,
  signal: AbortSignal,
): Observable<R> {
  return new Observable<R>((subscriber) => {
    const own = new AbortController();
    const both = AbortSignal.any([signal, own.signal]);
    const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    let failure: { readonly error: unknown } | undefined;

    const lane = async (): Promise<void> => {
      try {
        for (;;) {
          both.throwIfAborted();
          const next = await iterator.next();
          if (next.done === true) return;
          both.throwIfAborted();
          subscriber.next(await work(next.value, both));
        }
      } catch (error) {
        failure ??= { error };
        own.abort(error);
      }
    };

    const run = async (): Promise<void> => {
      await Promise.all(Array.from({ length: lanes }, lane));
      await iterator.return?.();
      if (failure === undefined) subscriber.complete();
      else subscriber.error(failure.error);
    };
    run().catch((error: unknown) => subscriber.error(error));
    return () => own.abort(new CancelledError("nobody waits for the result any more"));
  });
}
