import type { DiskRecord, DiskSource } from "@ovault/contract";

/**
 * Takes all disks of a virtual machine concurrently, and releases each source. One that fails stops the others. Rejects
 * only after nothing is in flight.
 */
export async function takeDisks(
  sources: readonly DiskSource[],
  take: (source: DiskSource, signal: AbortSignal) => Promise<DiskRecord>,
  signal: AbortSignal,
): Promise<DiskRecord[]> {
  const own = new AbortController();
  const both = AbortSignal.any([signal, own.signal]);
  const results = await Promise.allSettled(
    sources.map(async (source) => {
      try {
        return await take(source, both);
      } catch (error) {
        own.abort(error);
        throw error;
      } finally {
        await source.release?.();
      }
    }),
  );
  signal.throwIfAborted();
  if (own.signal.aborted) throw own.signal.reason;
  return results.filter((result) => result.status === "fulfilled").map((result) => result.value);
}
