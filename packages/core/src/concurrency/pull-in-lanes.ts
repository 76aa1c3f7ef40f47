import { Observable } from "rxjs";

import { CancelledError, inLanes } from "@ovault/contract";

/**
 * `inLanes` as an observable of results in the order of completion. This is where back-pressure lives: `mergeMap` over
 * an iterable would not promise it. Ends, well or in error, only after everything in flight has settled; unsubscribing
 * aborts like a failure.
 */
export function pullInLanes<T, R>(
  source: AsyncIterable<T> | Iterable<T>,
  lanes: number,
  work: (item: T, signal: AbortSignal) => Promise<R>,
  signal: AbortSignal,
): Observable<R> {
  return new Observable<R>((subscriber) => {
    const own = new AbortController();
    const emit = async (item: T, either: AbortSignal): Promise<void> => subscriber.next(await work(item, either));
    inLanes(source, lanes, emit, AbortSignal.any([signal, own.signal])).then(
      () => subscriber.complete(),
      (error: unknown) => subscriber.error(error),
    );
    return () => own.abort(new CancelledError("the consumer unsubscribed"));
  });
}
