import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { UsageError } from "@ovault/contract";
import type { RetentionRules } from "@ovault/core";
import type { OrderedPoint } from "../../src/points/point-order.ts";
import { selectPoints } from "../../src/retention/select-points.ts";

import { calendarIn } from "../../src/retention/calendar.ts";

/** None of the points lies in the future. */
const now = new Date("2100-01-01T00:00:00.000Z");

const zones = fc.constantFrom(undefined, "UTC", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "Europe/Berlin");

/** Some hours apart at times and years at others, and two of one instant. */
const points: fc.Arbitrary<readonly OrderedPoint[]> = fc
  .array(
    fc.record({
      vm: fc.constantFrom("vm-1", "vm-2", "vm-3").map((id) => ({ manager: "m", id })),
      takenAt: fc
        .tuple(fc.constantFrom(2011, 2025, 2026), fc.nat(30), fc.nat(200))
        .map(([year, day, hour]) => new Date(Date.UTC(year, 9, 25 + day, hour)).toISOString()),
    }),
    { maxLength: 25 },
  )
  .map((drafts) => drafts.map((draft, index) => ({ ...draft, id: `p${String(index).padStart(2, "0")}` })))
  .chain((all) => fc.shuffledSubarray(all, { minLength: all.length }));

const count = fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined });
const someRules: fc.Arbitrary<RetentionRules> = fc
  .record({ keepLast: count, keepDaily: count, keepWeekly: count, keepMonthly: count, keepYearly: count })
  .filter((rules) => Object.values(rules).some((value) => value !== undefined));

const kept = (selection: { readonly keep: readonly { readonly point: OrderedPoint }[] }): OrderedPoint[] =>
  selection.keep.map(({ point }) => point);
const ids = (some: readonly OrderedPoint[]): string[] => some.map(({ id }) => id).toSorted();

const more = (a: number | undefined, b: number | undefined): number | undefined => (a === undefined ? b : a + (b ?? 0));
const at = (takenAt: string): OrderedPoint => ({ id: takenAt, vm: { manager: "m", id: "vm-1" }, takenAt });

describe("selecting points", () => {
  test("keeps or forgets every point, and each of them once, in order of age", () => {
    fc.assert(
      fc.property(points, someRules, zones, (all, rules, timeZone) => {
        const selection = selectPoints(all, rules, { timeZone, now });
        expect(ids([...kept(selection), ...selection.forget])).toEqual(ids(all));
        for (const part of [kept(selection), selection.forget]) {
          const ages = part.map(({ takenAt }) => takenAt);
          expect(ages).toEqual(ages.toSorted());
        }
        expect(selection.keep.every(({ reasons }) => reasons.length > 0)).toBe(true);
      }),
    );
  });

  test("keeps the newest point of every machine, whatever the rules", () => {
    fc.assert(
      fc.property(points, someRules, zones, (all, rules, timeZone) => {
        const keep = new Set(ids(kept(selectPoints(all, rules, { timeZone, now }))));
        for (const machine of Map.groupBy(all, ({ vm }) => vm.id).values()) {
          const newest = machine.toSorted((a, b) => (a.takenAt + a.id < b.takenAt + b.id ? 1 : -1))[0];
          expect(keep.has(newest?.id ?? "")).toBe(true);
        }
      }),
    );
  });

  test("never forgets more when there are more rules, or they keep more", () => {
    fc.assert(
      fc.property(points, someRules, someRules, zones, (all, some, others, timeZone) => {
        const both: RetentionRules = {
          keepLast: more(some.keepLast, others.keepLast),
          keepDaily: more(some.keepDaily, others.keepDaily),
          keepWeekly: more(some.keepWeekly, others.keepWeekly),
          keepMonthly: more(some.keepMonthly, others.keepMonthly),
          keepYearly: more(some.keepYearly, others.keepYearly),
        };
        const forgotten = new Set(ids(selectPoints(all, some, { timeZone, now }).forget));
        const forgottenByBoth = ids(selectPoints(all, both, { timeZone, now }).forget);
        expect(forgottenByBoth.filter((id) => !forgotten.has(id))).toEqual([]);
      }),
    );
  });

  test("forgets nothing of what it kept", () => {
    fc.assert(
      fc.property(points, someRules, zones, (all, rules, timeZone) => {
        const once = selectPoints(all, rules, { timeZone, now });
        expect(selectPoints(kept(once), rules, { timeZone, now })).toEqual({ keep: once.keep, forget: [] });
      }),
    );
  });

  test("does not mind in which order the points come, nor of other machines", () => {
    fc.assert(
      fc.property(points, someRules, zones, (all, rules, timeZone) => {
        const selection = selectPoints(all, rules, { timeZone, now });
        expect(selectPoints(all.toReversed(), rules, { timeZone, now })).toEqual(selection);
        const one = all.filter(({ vm }) => vm.id === "vm-1");
        expect(selectPoints(one, rules, { timeZone, now }).forget).toEqual(
          selection.forget.filter(({ vm }) => vm.id === "vm-1"),
        );
      }),
    );
  });

  test.each([
    ["keepDaily", "day"],
    ["keepWeekly", "week"],
    ["keepMonthly", "month"],
    ["keepYearly", "year"],
  ] as const)("%s keeps the newest point of the newest %ss that have one", (setting, period) => {
    fc.assert(
      fc.property(points, fc.integer({ min: 1, max: 6 }), zones, (all, most, timeZone) => {
        const calendar = calendarIn(timeZone);
        const bucketOf = ({ takenAt }: OrderedPoint): string => calendar(new Date(takenAt))[period];
        const machine = all.filter(({ vm }) => vm.id === "vm-1");
        const newest = new Map<string, OrderedPoint>();
        for (const point of machine.toSorted((a, b) => (a.takenAt + a.id < b.takenAt + b.id ? -1 : 1))) {
          newest.set(bucketOf(point), point);
        }
        const expected = [...newest].toSorted(([a], [b]) => (a < b ? 1 : -1)).slice(0, most);
        const selection = selectPoints(machine, { [setting]: most }, { timeZone, now });
        expect(ids(kept(selection))).toEqual(ids(expected.map(([, point]) => point)));
        for (const { point, reasons } of selection.keep)
          expect(reasons).toEqual([expect.stringMatching(`ly ${bucketOf(point)}$`)]);
      }),
    );
  });

  test("keepLast keeps as many as it says", () => {
    fc.assert(
      fc.property(points, fc.integer({ min: 1, max: 6 }), (all, keepLast) => {
        const machine = all.filter(({ vm }) => vm.id === "vm-1");
        const { keep, forget } = selectPoints(machine, { keepLast }, { now });
        expect(keep.length).toBe(Math.min(keepLast, machine.length));
        expect(keep.every(({ point }) => forget.every(({ takenAt }) => takenAt <= point.takenAt))).toBe(true);
      }),
    );
  });

  test("gives all reasons of a point", () => {
    const all = [at("2026-11-20T22:00:00.000Z"), at("2026-11-21T10:00:00.000Z"), at("2026-11-21T22:30:00.000Z")];
    const rules = { keepLast: 1, keepDaily: 2, keepWeekly: 9, keepMonthly: 9, keepYearly: 9 };
    const selection = selectPoints(all, rules, { timeZone: "Europe/Berlin", now });
    expect(selection.keep.map(({ reasons }) => reasons)).toEqual([
      ["daily 2026-11-20"],
      ["last", "daily 2026-11-21", "weekly 2026-W47", "monthly 2026-11", "yearly 2026"],
    ]);
    expect(selection.forget).toEqual([all[1]]);
  });

  test.each<[string, RetentionRules, RegExp]>([
    ["no rule", {}, /no rule says what to keep/],
    ["nothing but absent rules", { keepLast: undefined }, /no rule says what to keep/],
    ["a rule that keeps none", { keepLast: 0, keepDaily: 3 }, /keepLast cannot be 0/],
    ["a rule that keeps less than none", { keepYearly: -1 }, /keepYearly cannot be -1/],
    ["half a point", { keepWeekly: 1.5 }, /keepWeekly cannot be 1.5/],
  ])("refuses %s", (_, rules, message) => {
    expect(() => selectPoints([], rules)).toThrow(UsageError);
    expect(() => selectPoints([], rules)).toThrow(message);
  });
});
