import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { UsageError } from "@ovault/contract";

import { calendarIn } from "../../src/retention/calendar.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const instants = fc.date({
  min: new Date("1971-01-01T00:00:00Z"),
  max: new Date("2199-12-31T00:00:00Z"),
  noInvalidDate: true,
});

describe("the calendar", () => {
  test("has the days of UTC shifted by the offset, where that is fixed", () => {
    fc.assert(
      fc.property(instants, fc.integer({ min: -14, max: 12 }), (instant, west) => {
        const zone = west === 0 ? "UTC" : `Etc/GMT${west > 0 ? "+" : ""}${west}`;
        const local = new Date(instant.getTime() - west * 60 * 60 * 1000).toISOString();
        expect(calendarIn(zone)(instant)).toMatchObject({
          day: local.slice(0, 10),
          month: local.slice(0, 7),
          year: local.slice(0, 4),
        });
      }),
    );
  });

  test("begins a week on every Monday, and the first of a year on the one before its first Thursday", () => {
    const calendar = calendarIn("UTC");
    fc.assert(
      fc.property(instants, (instant) => {
        const next = new Date(instant.getTime() + DAY_MS);
        const isMonday = next.getUTCDay() === 1;
        expect(calendar(instant).week === calendar(next).week).toBe(!isMonday);
        expect(calendar(instant).week <= calendar(next).week).toBe(true);
        const year = instant.getUTCFullYear();
        expect(calendar(new Date(Date.UTC(year, 0, 4))).week).toBe(`${year}-W01`);
        expect(calendar(new Date(Date.UTC(year, 11, 28))).week).toMatch(new RegExp(`^${year}-W5[23]$`));
      }),
    );
  });

  test.each([
    // The hour that comes twice: half past one in the night, summer and winter time.
    ["2026-11-01T05:30:00Z", "America/New_York", { day: "2026-11-01" }],
    ["2026-11-01T06:30:00Z", "America/New_York", { day: "2026-11-01" }],
    // Midnight does not exist on the day that clocks go forward.
    ["2017-10-15T02:59:59Z", "America/Sao_Paulo", { day: "2017-10-14" }],
    ["2017-10-15T03:00:00Z", "America/Sao_Paulo", { day: "2017-10-15" }],
    // A whole day was left out.
    ["2011-12-30T09:59:59Z", "Pacific/Apia", { day: "2011-12-29" }],
    ["2011-12-30T10:00:00Z", "Pacific/Apia", { day: "2011-12-31" }],
    ["2026-12-31T23:30:00Z", "Europe/Berlin", { day: "2027-01-01", week: "2026-W53", month: "2027-01", year: "2027" }],
  ])("%s in %s", (instant, zone, expected) => {
    expect(calendarIn(zone)(new Date(instant))).toMatchObject(expected);
  });

  test("knows no time zone that does not exist", () => {
    expect(() => calendarIn("Mars/Olympus")).toThrow(UsageError);
    expect(() => calendarIn("Mars/Olympus")).toThrow('there is no time zone "Mars/Olympus"');
  });
});
