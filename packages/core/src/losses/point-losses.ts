import type { RecoveryPoint } from "@ovault/contract";
import type { DiskLosses } from "../repository/damage/lost-ranges.ts";
import type { Repository } from "../repository/repository.ts";
import { findLosses } from "./find-losses.ts";
import { LostMarks } from "./lost-marks.ts";

/**
 * What the points that are marked have lost as of now, by the point's id. A point whose chunks have all come back, by a
 * later backup or a pack that is there again, is not in it.
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

/**
 * What a point has lost that a run is going to build on: blocks that have not changed would refer to chunks that are not
 * there. Looks at all its pages, whether damage is on record or not, and at which packs the store has.
 */
export async function lossesOfBase(
  repository: Repository,
  point: RecoveryPoint,
  signal: AbortSignal,
): Promise<readonly DiskLosses[]> {
  await repository.dropAbsentPacks(signal);
  return await findLosses(repository, point, { sound: repository.soundPages, signal });
}
