import { machineKey, type RecoveryPoint } from "@ovault/contract";
import { orderInDoubt } from "@ovault/core";

export interface PointsInDoubt {
  /** As its newest point shows it. */
  readonly vm: RecoveryPoint["vm"];
  /** Points whose dates contradict each other or the clock; never empty. */
  readonly points: readonly RecoveryPoint[];
}

/** The machines whose order of points is not certain. */
export function pointsInDoubt(points: readonly RecoveryPoint[], now: Date): readonly PointsInDoubt[] {
  return [...Map.groupBy(points, ({ vm }) => machineKey(vm)).values()].flatMap((own) => {
    const [vm, doubt] = [own.at(-1)?.vm, orderInDoubt(own, now)];
    return vm === undefined || doubt === undefined ? [] : [{ vm, points: doubt.points }];
  });
}
