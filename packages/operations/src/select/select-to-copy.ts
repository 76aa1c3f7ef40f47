import { machineKey, type RecoveryPoint } from "@ovault/contract";
import { inOrder, originOf, type PointStore } from "@ovault/core";

import type { PointsOfDestination } from "../installation/installation.ts";
import type { OperationContext } from "../operation-context.ts";
import { findPoint, pointsOf } from "./find-point.ts";

/** As on the command line. */
export interface WantedCopies {
  readonly names: readonly string[];
  /** Without names: machines to copy; empty: all. */
  readonly vms: readonly string[];
  /** Only of machines of this manager. */
  readonly manager?: string | undefined;
  /** Only points newer than the destination's newest of the machine. */
  readonly newer: boolean;
}

export interface SelectedCopies {
  readonly points: readonly RecoveryPoint[];
  /** Number of points left out because they were forgotten at the destination. */
  readonly forgotten: number;
}

/**
 * Named points are always copied; points selected by machine are not if they were forgotten at the destination.
 * @throws NotFoundError; UsageError for a name that several machines have
 */
export async function selectToCopy(
  { from, to }: { readonly from: PointStore; readonly to: PointsOfDestination },
  { names, vms, manager, newer }: WantedCopies,
  context: Pick<OperationContext, "signal" | "reporter">,
): Promise<SelectedCopies> {
  const { signal } = context;
  if (names.length > 0) {
    const named = new Map<string, RecoveryPoint>();
    for (const name of names) {
      const point = await findPoint(from, name, context, { manager });
      named.set(point.id, point);
    }
    return { points: [...named.values()], forgotten: 0 };
  }
  const all = (await from.points.list(signal)).points.filter(({ vm }) => (manager ?? vm.manager) === vm.manager);
  const ofMachines = vms.length === 0 ? all : [...new Set(vms.flatMap((vm) => pointsOf(all, vm, { manager })))];
  const marked = new Set((await to.points.listForgotten(signal)).marked.map(originOf));
  const kept = ofMachines.filter((point) => !marked.has(originOf(to.points.keyOf(point))));
  const forgotten = ofMachines.length - kept.length;
  if (!newer) return { points: kept, forgotten };
  const { points: there } = await to.points.list(signal);
  return { points: newerThan(kept, there), forgotten };
}

/** The points that are newer than all points of their machine at the destination. */
function newerThan(points: readonly RecoveryPoint[], there: readonly RecoveryPoint[]): readonly RecoveryPoint[] {
  const held = new Set(there.map(({ id }) => originOf(id)));
  const both = [...there, ...points.filter(({ id }) => !held.has(originOf(id)))];
  const newer = new Set<RecoveryPoint>();
  for (const own of Map.groupBy(inOrder(both), ({ vm }) => machineKey(vm)).values()) {
    const last = own.findLastIndex(({ id }) => held.has(originOf(id)));
    for (const point of own.slice(last + 1)) newer.add(point);
  }
  return points.filter((point) => newer.has(point));
}
