/**
 * What `Promise.all` gives, but not before all are settled, so that nothing goes on behind the back of whoever cleans up.
 * @throws what the first of them, in their order, threw
 */
export async function settleAll<T>(promises: readonly Promise<T>[]): Promise<readonly T[]> {
  const settled = await Promise.allSettled(promises);
  for (const one of settled) if (one.status === "rejected") throw one.reason;
  return settled.filter((one) => one.status === "fulfilled").map((one) => one.value);
}
