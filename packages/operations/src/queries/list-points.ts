import { plural } from "@ovault/contract";
import { lossesOfMarked, unclaimedWarnings } from "@ovault/core";

import type { Installation } from "../installation/installation.ts";
import type { OperationContext } from "../operation-context.ts";
import { pointsOf } from "../select/find-point.ts";
import { summarizePoint, type PointSummary } from "../summaries/point-summary.ts";

/** A point, and its known losses, in bytes. */
export interface ListedPoint extends PointSummary {
  readonly lostBytes: number;
}

export interface PointsQuery {
  /** Name or id. Default: all. */
  readonly vm?: string | undefined;
  /** Only points of this manager's machines. */
  readonly manager?: string | undefined;
  /** Default: the default destination. */
  readonly from?: string | undefined;
}

/** Oldest first. Warns about manifests that cannot be read, and leaves them out. */
export async function listPoints(
  installation: Installation,
  { vm, manager, from }: PointsQuery,
  { reporter, signal }: Pick<OperationContext, "signal" | "reporter">,
): Promise<readonly ListedPoint[]> {
  const store = await installation.points(from);
  const { points, damaged } = await store.points.list(signal);
  if (damaged.length > 0) {
    const what = `${plural(damaged.length, "recovery point")} cannot be read`;
    reporter.warn(`${what}: ${damaged.map(({ key }) => key).join(", ")} (see ovault verify --all)`);
  }
  const ofManager = points.filter((point) => (manager ?? point.vm.manager) === point.vm.manager);
  const wanted = vm === undefined ? ofManager : pointsOf(points, vm, { manager });
  for (const warning of unclaimedWarnings(installation.unclaimed(wanted))) reporter.note(`note: ${warning}`);
  const losses = await lossesOfMarked(store, wanted, signal);
  return wanted.map((point) => {
    const lost = losses.get(point.id) ?? [];
    return { ...summarizePoint(point), lostBytes: lost.reduce((sum, { lostBytes }) => sum + lostBytes, 0) };
  });
}
