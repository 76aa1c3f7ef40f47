import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { DEFAULT_RUN_LIMITS, nextRuns, type Policy } from "@ovault/core";
import type { ScheduleEntry } from "../../src/policies/policy.ts";

import { cronProblem } from "../../src/policies/next-runs.ts";

function policy(timeZone: string, ...schedule: readonly ScheduleEntry[]): Policy {
  const vms = { include: ["*"], exclude: [] };
  return {
    name: "p",
    vms,
    excludeDisks: [],
    consistency: {},
    strategy: "auto",
    schedule,
    timeZone,
    limits: DEFAULT_RUN_LIMITS,
  };
}

function times(planned: Policy, after: string, count: number): readonly string[] {
  return nextRuns(planned, new Date(after), count).map(({ at, type }) => `${at.toISOString().slice(0, 16)} ${type}`);
}

const nightly = [
  { cron: "0 22 * * 1-6", type: "incremental" },
  { cron: "0 22 * * 0", type: "full" },
] as const;

describe("the next runs", () => {
  test("come in order, from all entries, in the time zone of the policy", () => {
    expect(times(policy("Europe/Berlin", ...nightly), "2026-11-20T12:00:00Z", 4)).toEqual([
      "2026-11-20T21:00 incremental",
      "2026-11-21T21:00 incremental",
      "2026-11-22T21:00 full",
      "2026-11-23T21:00 incremental",
    ]);
  });

  test("are full when two entries fall on one minute and one says so", () => {
    const both = [
      { cron: "0 22 * * *", type: "full" },
      { cron: "0 22 * * *", type: "incremental" },
    ] as const;
    expect(times(policy("UTC", ...both), "2026-11-20T12:00:00Z", 1)).toEqual(["2026-11-20T22:00 full"]);
    expect(times(policy("UTC", ...both.toReversed()), "2026-11-20T12:00:00Z", 1)).toEqual(["2026-11-20T22:00 full"]);
  });

  test("are not lost where clocks are set forward, nor doubled where they are set back", () => {
    const daily = policy("Europe/Berlin", { cron: "30 2 * * *", type: "incremental" });
    expect(times(daily, "2026-03-28T12:00:00Z", 2)).toEqual([
      "2026-03-29T01:00 incremental",
      "2026-03-30T00:30 incremental",
    ]);
    expect(times(daily, "2026-10-24T12:00:00Z", 2)).toEqual([
      "2026-10-25T00:30 incremental",
      "2026-10-26T01:30 incremental",
    ]);
  });

  test("of a day's time, there is one on each day, in every zone and year", () => {
    const zone = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney");
    const at = fc.tuple(fc.nat(23), fc.nat(59));
    const from = fc.date({ min: new Date("2000-01-01"), max: new Date("2050-01-01"), noInvalidDate: true });
    fc.assert(
      fc.property(zone, at, from, (timeZone, [hour, minute], after) => {
        const daily = policy(timeZone, { cron: `${minute} ${hour} * * *`, type: "full" });
        const runs = nextRuns(daily, after, 8).map((run) => run.at);
        const days = runs.map((run) => new Intl.DateTimeFormat("sv", { timeZone }).format(run));
        expect(new Set(days).size).toBe(8);
        for (const run of runs) expect(run.getTime()).toBeGreaterThan(after.getTime());
        expect(runs).toEqual(runs.toSorted((a, b) => a.getTime() - b.getTime()));
      }),
    );
  });
});

/** Days on which clocks are set, forward and back; half an hour on Lord Howe, at midnight in Santiago, a whole day in Apia. */
const CHANGES = [
  ["Europe/Berlin", "2026-03-29"],
  ["Europe/Berlin", "2026-10-25"],
  ["America/New_York", "2026-03-08"],
  ["America/New_York", "2026-11-01"],
  ["Australia/Lord_Howe", "2026-10-04"],
  ["Australia/Lord_Howe", "2026-04-05"],
  ["America/Santiago", "2026-09-06"],
  ["America/Santiago", "2026-04-05"],
  ["Pacific/Apia", "2011-12-30"],
  ["UTC", "2026-03-29"],
] as const;

const MINUTE_MS = 60_000;

interface ShownMinute {
  readonly at: Date;
  /** `HH:MM` that no clock showed before, those that clocks jump over included. */
  readonly times: readonly string[];
}

/** Minute by minute, days before and after a change. */
function minutesAround([timeZone, date]: (typeof CHANGES)[number]): readonly ShownMinute[] {
  const format = new Intl.DateTimeFormat("sv", { timeZone, dateStyle: "short", timeStyle: "short" });
  const first = Date.parse(`${date}T00:00:00Z`) - 2 * 24 * 60 * MINUTE_MS;
  let latest = format.format(first - MINUTE_MS);
  return Array.from({ length: 5 * 24 * 60 }, (_, minute) => {
    const at = new Date(first + minute * MINUTE_MS);
    const shown = format.format(at);
    const fresh: string[] = [];
    while (latest < shown) {
      latest = new Date(Date.parse(`${latest.replace(" ", "T")}:00Z`) + MINUTE_MS)
        .toISOString()
        .slice(0, 16)
        .replace("T", " ");
      fresh.push(latest.slice(11));
    }
    return { at, times: fresh };
  });
}

const CLOCKS = CHANGES.map((change) => ({ timeZone: change[0], minutes: minutesAround(change) }));

function two(number: number): string {
  return String(number).padStart(2, "0");
}

test("several times a day come exactly as the documentation says when clocks are set", () => {
  const hours = fc.uniqueArray(fc.oneof(fc.nat(4), fc.nat(23)), { minLength: 1, maxLength: 4 });
  const minutes = fc.uniqueArray(fc.oneof(fc.constantFrom(0, 1, 30, 59), fc.nat(59)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.constantFrom(...CLOCKS), hours, minutes, fc.nat(24 * 60), (clock, inHours, inMinutes, later) => {
      const due = new Set(inHours.flatMap((hour) => inMinutes.map((minute) => `${two(hour)}:${two(minute)}`)));
      const after = new Date((clock.minutes[0]?.at.getTime() ?? 0) + later * MINUTE_MS);
      const rest = clock.minutes.filter(({ at, times: shown }) => at > after && shown.some((time) => due.has(time)));
      const cron = `${inMinutes.join(",")} ${inHours.join(",")} * * *`;
      const runs = nextRuns(policy(clock.timeZone, { cron, type: "full" }), after, rest.length);
      expect(runs.map(({ at }) => at)).toEqual(rest.map(({ at }) => at));
    }),
    { numRuns: 300 },
  );
});

test.each([
  ["Europe/Berlin", "0,30 2 * * *", "2026-03-28T12:00:00Z", ["2026-03-29T01:00", "2026-03-30T00:00"]],
  ["Europe/Berlin", "*/10 2 * * *", "2026-03-28T12:00:00Z", ["2026-03-29T01:00", "2026-03-30T00:00"]],
  ["Europe/Berlin", "30 1,2 * * *", "2026-03-28T12:00:00Z", ["2026-03-29T00:30", "2026-03-29T01:00"]],
  [
    "Europe/Berlin",
    "0,30 2 * * *",
    "2026-10-24T12:00:00Z",
    ["2026-10-25T00:00", "2026-10-25T00:30", "2026-10-26T01:00"],
  ],
  ["Australia/Lord_Howe", "15,45 2 * * *", "2026-10-03T06:00:00Z", ["2026-10-03T15:30", "2026-10-03T15:45"]],
  ["America/Santiago", "1,59 0 * * *", "2026-09-05T12:00:00Z", ["2026-09-06T04:00", "2026-09-07T03:01"]],
  ["America/New_York", "30 2 8 3 *", "2026-03-07T12:00:00Z", ["2026-03-08T07:00", "2027-03-08T07:30"]],
] as const)("in %s, %j comes as it should", (timeZone, cron, after, expected) => {
  const runs = nextRuns(policy(timeZone, { cron, type: "full" }), new Date(after), expected.length);
  expect(runs.map(({ at }) => at.toISOString().slice(0, 16))).toEqual(expected);
});

test.each(["0 22 * * *", "*/15 8-18 * * 1-5", "0 0 29 2 *", "0 3 * * SUN"])("%j is a time", (cron) => {
  expect(cronProblem(cron)).toBeUndefined();
});

test.each(["", "0 22 * *", "0 0 22 * * *", "61 * * * *", "0 0 30 2 *", "daily", "2026-12-01T00:00:00", "a b c d e"])(
  "%j is none",
  (cron) => {
    expect(cronProblem(cron)).toBeTypeOf("string");
  },
);
