import { machineKey, UsageError } from "@ovault/contract";
import { inOrder, orderInDoubt, type OrderedPoint } from "../points/point-order.ts";
import { calendarIn, type CalendarPeriods } from "./calendar.ts";
import type { RetentionRules } from "./retention-rules.ts";

export interface KeptPoint<P> {
  readonly point: P;
  /**
   * The rules that keep it: `last`, `daily 2026-11-21`, `weekly 2026-W47`, `monthly 2026-11`, `yearly 2026`; or that
   * the order of the machine's points is in doubt.
   */
  readonly reasons: readonly string[];
}

/** Both oldest first, as `inOrder` sorts them. */
export interface PointSelection<P> {
  readonly keep: readonly KeptPoint<P>[];
  readonly forget: readonly P[];
}

interface Rule {
  readonly setting: keyof RetentionRules;
  readonly name: string;
  /** The rule keeps the newest point of each period; without a period, each point counts by itself. */
  readonly period?: keyof CalendarPeriods;
}

const RULES: readonly Rule[] = [
  { setting: "keepLast", name: "last" },
  { setting: "keepDaily", name: "daily", period: "day" },
  { setting: "keepWeekly", name: "weekly", period: "week" },
  { setting: "keepMonthly", name: "monthly", period: "month" },
  { setting: "keepYearly", name: "yearly", period: "year" },
];

const IN_DOUBT = "order in doubt";

/**
 * Divides sealed points, of any number of virtual machines, into those that the rules keep and those that may go. Every
 * rule keeps the newest point of each machine. While the order of a machine's points is in doubt, all of them stay.
 * Changes nothing.
 * @param options `timeZone`: where days begin; the system's by default. `now`: later points lie in the future
 * @throws UsageError when no rule is given, a rule keeps less than one point, or the time zone is unknown
 */
export function selectPoints<P extends OrderedPoint>(
  points: readonly P[],
  rules: RetentionRules,
  options: { readonly timeZone?: string | undefined; readonly now?: Date } = {},
): PointSelection<P> {
  assertRules(rules);
  const calendar = calendarIn(options.timeZone);
  const { now = new Date() } = options;
  const oldestFirst = inOrder(points);
  const reasons = new Map<P, string[]>(oldestFirst.map((point) => [point, []]));
  for (const machine of Map.groupBy(oldestFirst.toReversed(), ({ vm }) => machineKey(vm)).values()) {
    if (orderInDoubt(machine, now) !== undefined) {
      for (const point of machine) reasons.set(point, [IN_DOUBT]);
      continue;
    }
    const dated = machine.map((point) => ({ point, periods: calendar(new Date(point.takenAt)) }));
    for (const { setting, name, period } of RULES) {
      const counted = new Set<string>();
      for (const { point, periods } of dated) {
        if (counted.size === (rules[setting] ?? 0)) break;
        const bucket = period === undefined ? point.id : periods[period];
        if (counted.has(bucket)) continue;
        counted.add(bucket);
        reasons.get(point)?.push(period === undefined ? name : `${name} ${bucket}`);
      }
    }
  }
  const selected = [...reasons].map(([point, why]) => ({ point, reasons: why }));
  return {
    keep: selected.filter(({ reasons: why }) => why.length > 0),
    forget: selected.filter(({ reasons: why }) => why.length === 0).map(({ point }) => point),
  };
}

function assertRules(rules: RetentionRules): void {
  const given = RULES.flatMap(({ setting }) => {
    const count = rules[setting];
    return count === undefined ? [] : [{ setting, count }];
  });
  if (given.length === 0) {
    throw new UsageError("no rule says what to keep", {
      hint: "Say how many points to keep: the last, or daily, weekly, monthly, yearly ones.",
    });
  }
  const wrong = given.find(({ count }) => !Number.isSafeInteger(count) || count < 1);
  if (wrong === undefined) return;
  throw new UsageError(`${wrong.setting} cannot be ${wrong.count}`, {
    hint: "Give a whole number from 1, or leave the rule out.",
  });
}
