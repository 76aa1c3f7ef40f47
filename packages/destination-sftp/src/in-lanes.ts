/**
 * Works through the items with so many under way at once. The first failure ends it: nothing new is begun, and what is
 * under way is awaited.
 */
export async function inLanes<T>(lanes: number, items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const rest = each(items);
  const lane = async (): Promise<void> => {
    // Leaving the loop by an error closes the generator that all lanes share.
    for (const item of rest) await work(item);
  };
  const outcomes = await Promise.allSettled(Array.from({ length: lanes }, lane));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

function* each<T>(items: Iterable<T>): Generator<T, void> {
  yield* items;
}
