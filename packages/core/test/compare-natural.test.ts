import * as fc from "fast-check";
import { expect, test } from "vitest";

import { compareNatural } from "@ovault/contract";

/** From the least to the greatest, as the engine sorts them. */
const IN_ORDER = [
  ["", "123", "456", "abc"],
  ["web_Disk1", "web_Disk2", "web_Disk9", "web_Disk10", "web_Disk11", "web_Disk100"],
  ["012", "12", "123", "0200"],
  ["2abc", "10abc"],
  ["123Abc", "123abc", "123def"],
  ["ab", "abc", "Abc123", "abc123", "Abc234", "abc1234", "abd"],
  ["disk2", "Disk10", "disk10", "disk10a"],
  ["a01c", "a1b", "a1b2", "a1b10c"],
  ["abc123456789123456789de", "abc123456789123456790de", "abc1234567891234567890de"],
] as const;

test.each(IN_ORDER.map((names) => [names]))("%j are in order", (names) => {
  expect(names.toReversed().toSorted(compareNatural)).toEqual(names);
  expect([...names].toSorted(compareNatural)).toEqual(names);
});

test("two names are equal only when they are the same, and the order is one", () => {
  const names = fc.string({ unit: fc.constantFrom("0", "1", "9", "a", "A", "_", "ß", "İ"), maxLength: 6 });
  fc.assert(
    fc.property(names, names, names, (...three) => {
      const [least = "", middle = "", greatest = ""] = three.toSorted(compareNatural);
      for (const [a, b] of [
        [least, middle],
        [middle, greatest],
        [least, greatest],
      ] as const) {
        expect(compareNatural(a, b) < 0).toBe(a !== b);
        expect(compareNatural(b, a) > 0).toBe(a !== b);
      }
    }),
    { numRuns: 1000 },
  );
});

test("a number that counts up sorts up", () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 4 }).filter((name) => !/\d$/.test(name)),
      fc.nat(),
      fc.nat(),
      (name, a, b) => {
        expect(Math.sign(compareNatural(`${name}${a}`, `${name}${b}`))).toBe(Math.sign(a - b));
      },
    ),
  );
});
