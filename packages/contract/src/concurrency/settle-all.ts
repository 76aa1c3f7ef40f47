/**
 * As `Promise.all`, but waits until all have settled, so that nothing is still running when the caller cleans up.
 * @throws the first failure, in the order given
 */
export async function settleAll<T>(promises: readonly Promise<T>[]): Promise<readonly T[]> {
  const settled = await Promise.allSettled(promises);
  for (const one of settled) if (one.status === "rejected") throw one.reason;
  return settled.filter((one) => one.status === "fulfilled").map((one) => one.value);
}
