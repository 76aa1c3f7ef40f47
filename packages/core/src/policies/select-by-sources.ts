import { machineKey } from "@ovault/contract";
import type { RetentionSource } from "./retention-by-machine.ts";
import type { OrderedPoint } from "../points/point-order.ts";
import { selectPoints, type KeptPoint, type PointSelection } from "../retention/select-points.ts";

/**
 * As `selectPoints`, with each machine's own rules: a point stays as long as one source of rules keeps it, and the
 * reasons name the policy. Points of machines without rules stay.
 * @param sourcesOf by `machineKey`
 * @param options `timeZone`: replaces those of the sources; `now` as for `selectPoints`
 */
export function selectBySources<P extends OrderedPoint>(
  points: readonly P[],
  sourcesOf: ReadonlyMap<string, readonly RetentionSource[]>,
  options: { readonly timeZone?: string | undefined; readonly now?: Date } = {},
): PointSelection<P> {
  const reasons = new Map<P, string[]>();
  for (const [machine, own] of Map.groupBy(points, ({ vm }) => machineKey(vm))) {
    for (const { policy, rules, timeZone } of sourcesOf.get(machine) ?? []) {
      const { keep, forget } = selectPoints(own, rules, { ...options, timeZone: options.timeZone ?? timeZone });
      const named = policy === undefined ? "" : `${policy}: `;
      const judged = [...keep, ...forget.map((point) => ({ point, reasons: [] }))];
      for (const { point, reasons: why } of judged) {
        reasons.set(point, [...(reasons.get(point) ?? []), ...why.map((reason) => `${named}${reason}`)]);
      }
    }
  }
  const keep: KeptPoint<P>[] = [];
  const forget: P[] = [];
  for (const point of points) {
    const why = reasons.get(point) ?? ["no rules"];
    if (why.length > 0) keep.push({ point, reasons: why });
    else forget.push(point);
  }
  return { keep, forget };
}
