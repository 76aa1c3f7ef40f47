import type { RecoveryPoint } from "@ovault/contract";
import type { DiskLosses } from "../points/lost-ranges.ts";
import type { Repository } from "../repository/repository.ts";
import { findLosses } from "../repository/reading/find-losses.ts";
import { LostMarks } from "./lost-marks.ts";

/**
 * What the marked points have lost as of now, by point id. Leaves out a point whose chunks have all come back, by a
 * later backup or a restored pack.
 */
export async function lossesOfMarked(
  repository: Repository,
  points: readonly RecoveryPoint[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly DiskLosses[]>> {
  const [only, ...more] = points;
  const marks = await LostMarks.read(repository, signal, more.length === 0 ? only : undefined);
  const losses = new Map<string, readonly DiskLosses[]>();
  for (const point of points) {
    if (!marks.has(point)) continue;
    const within = marks.rangesOf(point);
    const found = await findLosses(repository, point, { ...(within === undefined ? {} : { within }), signal });
    if (found.length > 0) losses.set(point.id, found);
  }
  return losses;
}
