import { didYouMean, NotFoundError, type RecoveryPoint, type Repository } from "@ovault/core";

const LATEST = "@latest";

/**
 * A recovery point by id, by a unique beginning of its id, or as `VM@latest`.
 * @throws NotFoundError
 */
export async function findPoint(repository: Repository, wanted: string, signal: AbortSignal): Promise<RecoveryPoint> {
  if (!wanted.endsWith(LATEST)) return await repository.points.find(wanted, signal);
  const { points } = await repository.points.list(signal);
  const latest = pointsOf(points, wanted.slice(0, -LATEST.length)).at(-1);
  if (latest === undefined) throw new NotFoundError(`there is no recovery point ${wanted}`);
  return latest;
}

/**
 * The points of one virtual machine, by its name or id as they are in the points: it need not exist any more.
 * @throws NotFoundError when no point is of such a machine.
 */
export function pointsOf(points: readonly RecoveryPoint[], vm: string): readonly RecoveryPoint[] {
  const found = points.filter((point) => point.vm.id === vm || point.vm.name === vm);
  if (found.length > 0) return found;
  const names = new Set(points.map((point) => point.vm.name));
  throw new NotFoundError(`there is no recovery point of "${vm}"${didYouMean(vm, names)}`, {
    context: { vm },
    hint: names.size === 0 ? "The repository holds no points yet." : `There are points of: ${[...names].join(", ")}.`,
  });
}
