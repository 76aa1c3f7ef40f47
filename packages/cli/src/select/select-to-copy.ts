import type { RecoveryPoint, Repository } from "@ovault/core";

import { findPoint, pointsOf } from "./find-point.ts";

/** As on the command line. */
export interface WantedCopies {
  readonly names: readonly string[];
  /** Without names: of these machines, or of all when there are none. */
  readonly vms: readonly string[];
  /** Only what is newer than what the destination has of the machine. */
  readonly newer: boolean;
}

export interface SelectedCopies {
  readonly points: readonly RecoveryPoint[];
  /** Number of points that are left out because they were forgotten at the destination. */
  readonly forgotten: number;
}

/**
 * What is named is taken whatever the destination thinks of it; of machines, what was forgotten there stays forgotten.
 * @throws NotFoundError
 */
export async function selectToCopy(
  { from, to }: { readonly from: Repository; readonly to: Repository },
  { names, vms, newer }: WantedCopies,
  signal: AbortSignal,
): Promise<SelectedCopies> {
  if (names.length > 0) {
    const named = new Map<string, RecoveryPoint>();
    for (const name of names) {
      const point = await findPoint(from, name, signal);
      named.set(point.id, point);
    }
    return { points: [...named.values()], forgotten: 0 };
  }
  const { points: all } = await from.points.list(signal);
  const ofMachines = vms.length === 0 ? all : [...new Set(vms.flatMap((vm) => pointsOf(all, vm)))];
  const marked = new Set((await to.points.listForgotten(signal)).marked);
  const kept = ofMachines.filter((point) => !marked.has(to.points.keyOf(point)));
  const forgotten = ofMachines.length - kept.length;
  if (!newer) return { points: kept, forgotten };
  const newest = newestByMachine((await to.points.list(signal)).points);
  return { points: kept.filter(({ vm, takenAt }) => takenAt > (newest.get(vm.id) ?? "")), forgotten };
}

/** When the newest point of each machine was taken, by the machine's id. */
function newestByMachine(points: readonly RecoveryPoint[]): ReadonlyMap<string, string> {
  // The oldest come first.
  return new Map(points.map(({ vm, takenAt }) => [vm.id, takenAt]));
}
