import { machineKey, type MachineIdentity, compareText } from "@ovault/contract";
import { originOf, secondOf, tagOf } from "./point-id.ts";

/** The fields that decide the order of recovery points. */
export interface OrderedPoint {
  readonly id: string;
  readonly vm: MachineIdentity;
  /** ISO 8601, UTC. */
  readonly takenAt: string;
  readonly basePoint?: string | null;
}

/** Points of one machine whose order is uncertain. */
export interface OrderInDoubt<P> {
  /** Points whose dates contradict each other, or the clock; oldest first, as far as is known. */
  readonly points: readonly P[];
}

/** If a date is further ahead of the clock, one of the two is wrong. */
const CLOCK_TOLERANCE_MS = 2 * 60_000;

/**
 * Points in the order in which they were taken, oldest first. Within one machine the ids decide, whatever any clock
 * said: an id is later than those of all points that existed when it was chosen. Ids of older releases come from the
 * clock only. Among those the dates decide, and a point is newer than its base. Points of different machines are merged
 * by their dates.
 */
export function inOrder<P extends OrderedPoint>(points: readonly P[]): readonly P[] {
  const machines = [...Map.groupBy(points, ({ vm }) => machineKey(vm))].toSorted(([a], [b]) => compareText(a, b));
  const placed = machines.flatMap(([, own]) => {
    let at = "";
    return new PointsOfMachine(own).inOrder().map((point) => {
      if (point.takenAt > at) at = point.takenAt;
      return { point, at };
    });
  });
  // Stable: the points of one machine keep their order.
  return placed.toSorted((a, b) => compareText(a.at, b.at)).map(({ point }) => point);
}

/**
 * Undefined when the order of these points of one machine is certain. It is in doubt between two neighbours with ids of
 * older releases, when one of them has a date in the future or contradicts its base, and the later does not name the
 * earlier as its base.
 */
export function orderInDoubt<P extends OrderedPoint>(points: readonly P[], now: Date): OrderInDoubt<P> | undefined {
  const machine = new PointsOfMachine(points);
  const ordered = machine.inOrder();
  const misdated = machine.misdated(now);
  const doubtful = ordered.filter((point, position) =>
    [ordered[position - 1], ordered[position + 1]].some((other) => {
      if (other === undefined || tagOf(point.id) !== undefined || tagOf(other.id) !== undefined) return false;
      const isSettled = isBase(other, point) || isBase(point, other);
      return !isSettled && misdated.has(point);
    }),
  );
  return doubtful.length === 0 ? undefined : { points: doubtful };
}

class PointsOfMachine<P extends OrderedPoint> {
  readonly #points: readonly P[];
  /** By id of the origin, by which a copy names its base. */
  readonly #byOrigin: ReadonlyMap<string, P>;

  constructor(points: readonly P[]) {
    this.#points = points;
    this.#byOrigin = new Map(points.map((point) => [originOf(point.id), point]));
  }

  inOrder(): readonly P[] {
    const places = this.#places();
    const placeOf = (point: P): string => places.get(point) ?? "";
    const sorted = this.#points.toSorted(
      (a, b) =>
        compareText(placeOf(a), placeOf(b)) ||
        Number(isDated(a)) - Number(isDated(b)) ||
        compareText(a.takenAt, b.takenAt) ||
        compareText(a.id, b.id),
    );
    const ordered = new Set<P>();
    for (const point of sorted) for (const one of this.#chainOf(point, ordered)) ordered.add(one);
    return [...ordered];
  }

  /** Points with an impossible date, or one that another contradicts. */
  misdated(now: Date): ReadonlySet<P> {
    const latest = now.getTime() + CLOCK_TOLERANCE_MS;
    const misdated = new Set<P>();
    for (const point of this.#points.filter(isDated)) {
      if (Date.parse(point.takenAt) > latest) misdated.add(point);
      const base = this.#baseOf(point);
      if (base !== undefined && base.takenAt > point.takenAt) misdated.add(point).add(base);
    }
    return misdated;
  }

  /** The ordered id behind which each point sorts: its own, or for a clock-based id the last one before it. */
  #places(): ReadonlyMap<P, string> {
    const places = new Map<P, string>();
    for (const point of this.#points) if (!isDated(point)) places.set(point, point.id);
    const ids = [...places.values()].toSorted();
    for (const point of this.#points) {
      for (const one of this.#chainOf(point, places)) {
        const base = this.#baseOf(one);
        const afterBase = (base && places.get(base)) ?? "";
        const place = ids.findLast((id) => id < textOf(one)) ?? "";
        places.set(one, place > afterBase ? place : afterBase);
      }
    }
    return places;
  }

  /** A point and the points it builds on that are not in `done`, oldest first. A circle is cut at its end. */
  #chainOf(point: P, done: { has(one: P): boolean }): readonly P[] {
    const chain = new Set<P>();
    let next: P | undefined = point;
    while (next !== undefined && !done.has(next) && !chain.has(next)) {
      chain.add(next);
      next = isDated(next) ? this.#baseOf(next) : undefined;
    }
    return [...chain].toReversed();
  }

  #baseOf({ basePoint }: P): P | undefined {
    return basePoint == null ? undefined : this.#byOrigin.get(originOf(basePoint));
  }
}

function isBase(base: OrderedPoint, { basePoint }: OrderedPoint): boolean {
  return basePoint != null && originOf(basePoint) === originOf(base.id);
}

/** Whether only the clock says when it was taken. */
function isDated({ id }: OrderedPoint): boolean {
  return tagOf(id) === undefined;
}

/** The text by which a clock-based id is compared with ordered ones. */
function textOf({ id, takenAt }: OrderedPoint): string {
  return secondOf(id) === undefined ? takenAt.slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-") : id;
}
