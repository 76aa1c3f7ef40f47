import { type ObjectKey, type RecoveryPoint, IntegrityError } from "@ovault/contract";
import { LostMarks } from "../losses/lost-marks.ts";
import type { DamagedManifest } from "../points/point-store.ts";
import type { Repository } from "../repository/repository.ts";

/** The points that are not forgotten, and forgotten ones that are held. */
export interface CurrentPoints {
  readonly points: readonly RecoveryPoint[];
  /** Whether a point is known to have lost data. */
  readonly hasLosses: (point: RecoveryPoint) => boolean;
}

/**
 * Afterwards the index is at least as new as the points.
 * @param held keys of the manifests of held points
 * @throws IntegrityError when a manifest cannot be read
 */
export async function currentPoints(
  repository: Repository,
  held: ReadonlySet<ObjectKey>,
  signal: AbortSignal,
): Promise<CurrentPoints> {
  const listing = await repository.points.list(signal);
  const seen = new Set(listing.points.map((point) => repository.points.keyOf(point)));
  // Visible points first: so one of the two finds a point that is forgotten meanwhile.
  const forgotten = held.size === 0 ? undefined : await repository.points.listForgotten(signal);
  const isWanted = (key: ObjectKey): boolean => held.has(key) && !seen.has(key);
  const points = [
    ...listing.points,
    ...(forgotten?.points.filter((point) => isWanted(repository.points.keyOf(point))) ?? []),
  ];
  const damaged = [...listing.damaged, ...(forgotten?.damaged.filter(({ key }) => isWanted(key)) ?? [])];
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
