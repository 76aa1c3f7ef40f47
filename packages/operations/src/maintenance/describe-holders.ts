import { machineLease, type Repository, type BlockingRun } from "@ovault/core";

import { formatTime } from "../text/format.ts";

/** The runs that hold condemned objects, one sentence each. Names machines as their points do. */
export async function describeHolders(
  { points, protection }: Repository,
  runs: readonly BlockingRun[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (runs.length === 0) return [];
  const all = await points.list(signal);
  const names = new Map(all.points.map(({ vm }) => [machineLease(protection, vm).resource, vm.name]));
  return runs.map(({ resource, runId, node, pid, since }) => {
    const what = resource.startsWith("copy-")
      ? "copies from here"
      : `works on ${names.get(resource) ?? "a new machine"}`;
    return `run ${runId} (process ${pid} on ${node}) ${what} since ${formatTime(since)}`;
  });
}
