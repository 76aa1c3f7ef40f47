import * as fc from "fast-check";
import { expect, test } from "vitest";

import { Redactor } from "@ovault/core";

import { CommandOutput } from "../src/command-output.ts";

const SECRET = "hunter2\tof the database";

function collect(chunks: readonly Buffer[]): { lines: string[]; tail: string } {
  const redactor = new Redactor();
  redactor.add(SECRET);
  const lines: string[] = [];
  const output = new CommandOutput({ redact: (text) => redactor.redact(text), show: (line) => void lines.push(line) });
  for (const chunk of chunks) output.add("stdout", chunk);
  output.end();
  return { lines, tail: output.tail };
}

/** The same bytes, cut anywhere. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length));
}

const piece = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom("\n", "\r\n", SECRET, "\u001B[31m", "\0", "ä€", "x".repeat(5_000)),
);

test("whatever is printed, in whatever pieces: no secret, no control character, and not too much", () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), fc.array(fc.nat(), { maxLength: 20 }), (pieces, places) => {
      const bytes = Buffer.from(pieces.join(""));
      const whole = collect([bytes]);
      expect(collect(cut(bytes, places))).toEqual(whole);
      const all = [...whole.lines, whole.tail].join("");
      expect(all.includes("the database")).toBe(false);
      expect(/\p{Cc}/u.test(all)).toBe(false);
      expect(Math.max(...whole.lines.map((line) => line.length), 0)).toBeLessThanOrEqual(1_000);
    }),
    { numRuns: 100 },
  );
});

test("a command that prints without end is shown in part, and its last words are kept", () => {
  const chunks = Array.from({ length: 5_000 }, (_, at) => Buffer.from(`line ${at}\n`));
  const { lines, tail } = collect(chunks);
  expect(lines).toHaveLength(201);
  expect(lines.at(-1)).toMatch(/more is printed/);
  expect(tail).toBe("line 4997 / line 4998 / line 4999");
});

test("a line that never ends is kept in part", () => {
  const { lines } = collect(Array.from({ length: 50 }, () => Buffer.alloc(10_000, "y")));
  expect(lines).toEqual(["y".repeat(1_000)]);
});
