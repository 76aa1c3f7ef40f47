import type { RecoveryPoint } from "@ovault/contract";
import type { ImagePoints } from "../images/image-points.ts";
import type { DiskLosses } from "../points/lost-ranges.ts";
import type { Repository } from "../repository/repository.ts";
import { findLosses } from "../repository/reading/find-losses.ts";
import { lossesByMark } from "../losses/losses-by-mark.ts";
import { LostMarks } from "../losses/lost-marks.ts";

/**
 * What the marked points have lost, by point id. In a repository as of now: it leaves out a point whose chunks have all
 * come back, by a later backup or a restored pack.
 */
export async function lossesOfMarked(
  store: Repository | ImagePoints,
  points: readonly RecoveryPoint[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly DiskLosses[]>> {
  const [only, ...more] = points;
  const place = store.kind === "repository" ? store : store.points.place;
  const marks = await LostMarks.read(place, signal, more.length === 0 ? only : undefined);
  const losses = new Map<string, readonly DiskLosses[]>();
  for (const point of points) {
    if (!marks.has(point)) continue;
    const within = marks.rangesOf(point);
    const found =
      store.kind === "images"
        ? lossesByMark(marks, point)
        : await findLosses(store, point, { ...(within === undefined ? {} : { within }), signal });
    if (found.length > 0) losses.set(point.id, found);
  }
  return losses;
}
