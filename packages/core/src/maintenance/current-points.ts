import { type RecoveryPoint, IntegrityError } from "@ovault/contract";
import { LostMarks } from "../losses/lost-marks.ts";
import type { DamagedManifest } from "../points/point-store.ts";
import type { Repository } from "../repository/repository.ts";

/** The points that are not forgotten. */
export interface CurrentPoints {
  readonly points: readonly RecoveryPoint[];
  /** Whether a point is known to have lost data. */
  readonly hasLosses: (point: RecoveryPoint) => boolean;
}

/** Afterwards the index is at least as new as the points. @throws IntegrityError when a manifest cannot be read */
export async function currentPoints(repository: Repository, signal: AbortSignal): Promise<CurrentPoints> {
  const { points, damaged } = await repository.points.list(signal);
  const [first] = damaged;
  if (first !== undefined) throw unreadable(first, damaged.length);
  // What these points need was listed before they were sealed.
  await repository.refresh(signal);
  const marks = await LostMarks.read(repository, signal);
  return { points, hasLosses: (point) => marks.has(point) };
}

function unreadable({ key, error }: DamagedManifest, count: number): IntegrityError {
  return new IntegrityError(`${key} cannot be read, so what it needs is unknown`, {
    cause: error,
    context: { key, count },
    hint: "Nothing was deleted. See `ovault verify --all`; `ovault repair` says how to part with it.",
  });
}
