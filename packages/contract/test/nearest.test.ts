import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { didYouMean, nearest } from "@ovault/contract";

const word = fc.stringMatching(/^[a-z]{4,12}$/);

describe("the nearest name", () => {
  test("is found through any one slip of the finger", () => {
    fc.assert(
      fc.property(word, fc.nat(), fc.constantFrom("drop", "double", "swap"), (name, position, slip) => {
        const at = position % (name.length - 1);
        const [a = "", b = ""] = [name[at], name[at + 1]];
        const middle = { drop: b, double: a + a + b, swap: b + a }[slip];
        expect(nearest(name.slice(0, at) + middle + name.slice(at + 2), [name])).toBe(name);
      }),
    );
  });

  test("is the name itself when that is among the candidates", () => {
    fc.assert(
      fc.property(word, fc.array(word), (name, others) => {
        expect(nearest(name, [...others, name])).toBe(name);
      }),
    );
  });

  test("is nothing when no candidate is close", () => {
    expect(nearest("web01", ["database", "mail"])).toBeUndefined();
    expect(didYouMean("web01", ["database"])).toBe("");
  });
});
