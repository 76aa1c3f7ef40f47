import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { DEFAULT_RUN_LIMITS, nextRuns, type Policy, type ScheduleEntry } from "@ovault/core";

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

test.each(["0 22 * * *", "*/15 8-18 * * 1-5", "0 0 29 2 *", "0 3 * * SUN"])("%j is a time", (cron) => {
  expect(cronProblem(cron)).toBeUndefined();
});

test.each(["", "0 22 * *", "0 0 22 * * *", "61 * * * *", "0 0 30 2 *", "daily", "2026-12-01T00:00:00", "a b c d e"])(
  "%j is none",
  (cron) => {
    expect(cronProblem(cron)).toBeTypeOf("string");
  },
);
