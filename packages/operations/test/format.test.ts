import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { plural, UsageError } from "@ovault/contract";

import { formatAge, formatBytes, formatDuration, parseDuration, parseSize } from "../src/text/format.ts";

describe("sizes", () => {
  test("of whole units are read as they are written", () => {
    fc.assert(
      fc.property(
        fc.nat(4095),
        fc.constantFrom(...["", "B", "K", "m", "GiB", "TB"].entries()),
        (count, [power, suffix]) => {
          expect(parseSize(`${count}${suffix}`)).toBe(count * 1024 ** Math.max(0, power - 1));
        },
      ),
    );
  });

  test("may have a fraction that comes out as whole bytes", () => {
    expect(parseSize("1.5K")).toBe(1536);
    expect(() => parseSize("0.3K")).toThrow(UsageError);
  });

  test.each(["", "-1", "ten", "1X", "1e3", "99999999999999999999"])("written as %j are refused", (written) => {
    expect(() => parseSize(written)).toThrow(UsageError);
  });

  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "0.98 KiB"],
    [1536, "1.5 KiB"],
    [1024 ** 2, "1 MiB"],
    [1.25 * 1024 ** 3, "1.25 GiB"],
    [6 * 1024 ** 4, "6 TiB"],
  ])("%i bytes are shown as %s", (bytes, shown) => {
    expect(formatBytes(bytes)).toBe(shown);
  });

  test("are shown with at most three digits", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        expect(formatBytes(bytes)).toMatch(/^(?=.{1,4} )[\d.]+ ([KMGTP]i)?B$/);
      }),
    );
  });
});

test.each([
  [0, "0:00"],
  [59_499, "0:59"],
  [83_000, "1:23"],
  [3_723_000, "1:02:03"],
])("%i ms are shown as %s", (milliseconds, shown) => {
  expect(formatDuration(milliseconds)).toBe(shown);
});

describe("time spans", () => {
  test.each([
    ["0", 0],
    ["45s", 45_000],
    ["90m", 5_400_000],
    ["36h", 129_600_000],
    ["7d", 604_800_000],
    ["1.5h", 5_400_000],
  ])("written as %j are read", (written, milliseconds) => {
    expect(parseDuration(written)).toBe(milliseconds);
  });

  test.each(["", "1", "-1h", "h", "7 days", "1w", "40000d", "1e3h"])("written as %j are refused", (written) => {
    expect(() => parseDuration(written)).toThrow(UsageError);
  });
});

test("one point, two points", () => {
  expect(plural(1, "point")).toBe("1 point");
  expect(plural(2, "point")).toBe("2 points");
});

test.each([
  [0, "0 min"],
  [119, "119 min"],
  [120, "2 h"],
  [71 * 60 + 59, "71 h"],
  [72 * 60, "3 d"],
])("an age of %i minutes is %s", (minutes, text) => {
  const now = Date.parse("2026-11-21T23:15:00.000Z");
  expect(formatAge(new Date(now - minutes * 60_000).toISOString(), now)).toBe(text);
});
