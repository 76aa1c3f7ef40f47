/**
 * Does the work for every item, at most `lanes` at once. When one fails no more are begun, and the first error is thrown
 * after everything under way has settled.
 */
export async function inLanes<T>(
  items: Iterable<T>,
  lanes: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = each(items);
  const lane = async (): Promise<void> => {
    // Leaving the loop by an error closes the queue that all lanes share.
    for (const item of queue) await work(item);
  };
  const settled = await Promise.allSettled(Array.from({ length: lanes }, lane));
  const failed = settled.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

function* each<T>(items: Iterable<T>): Generator<T, void, undefined> {
  yield* items;
}
