import * as fc from "fast-check";
import { expect, test } from "vitest";

import { relaxStart, type StartOptions } from "../src/relax-start.ts";

const terms: fc.Arbitrary<StartOptions> = fc.record({
  checkpointId: fc.constantFrom("c", undefined),
  consistent: fc.boolean(),
});
const quiesce = fc.constantFrom("require" as const, "try" as const, "never" as const);
const reason = fc.constantFrom(
  "Failed freeze VM: Guest agent is not responding",
  "The checkpoint c does not exist.",
  "Backup 1 for VM  failed (User: admin).",
  "",
);

test("whatever fails for whatever reason, each start asks for less, and freezing that is required is never given up", () => {
  fc.assert(
    fc.property(terms, quiesce, fc.array(reason, { minLength: 3, maxLength: 3 }), (first, wish, reasons) => {
      let now: StartOptions | undefined = first;
      for (const failure of reasons) {
        const before: StartOptions = now;
        now = relaxStart(before, failure, wish);
        if (now === undefined) return;
        expect(wish === "require" && before.consistent && !now.consistent).toBe(false);
        const given = [before.checkpointId !== now.checkpointId, before.consistent !== now.consistent];
        expect(given.filter(Boolean)).toHaveLength(1);
      }
      throw new Error("there were only two things to give up");
    }),
    { numRuns: 200 },
  );
});

const all = { checkpointId: "c", consistent: true };

test.each([
  ["freezing", "Failed freeze VM: no agent", "try", { ...all, consistent: false }],
  ["the checkpoint", "The checkpoint c does not exist.", "try", { ...all, checkpointId: undefined }],
  ["the checkpoint", "The checkpoint c does not exist.", "require", { ...all, checkpointId: undefined }],
  ["what costs less", "Backup 1 for VM  failed.", "try", { ...all, consistent: false }],
  [
    "the checkpoint, if freezing is required",
    "Backup 1 for VM  failed.",
    "require",
    { ...all, checkpointId: undefined },
  ],
  ["nothing, if freezing is required and failed", "Failed freeze VM: no agent", "require", undefined],
] as const)("%s is given up after: %s (%s)", (_, failure, wish, expected) => {
  expect(relaxStart(all, failure, wish)).toEqual(expected);
});
