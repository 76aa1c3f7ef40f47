import { execFileSync } from "node:child_process";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { shellLine } from "../src/shell-words.ts";

/** What people may call a machine. */
const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }).map((text) => text.replaceAll("\0", "").toWellFormed()),
  fc.constantFrom("'; touch /tmp/pwned; '", "$(reboot)", "`id`", "a\nb", "\\", "'", '"', "-rf", "", "!x", "~", "*"),
);

test("a shell sees each word and each variable exactly as it is, whatever is in it", () => {
  fc.assert(
    fc.property(
      fc.array(hostile, { maxLength: 8 }),
      fc.array(hostile, { minLength: 1, maxLength: 4 }),
      (words, values) => {
        const environment = Object.fromEntries(values.map((value, at) => [`V${at}`, value]));
        const names = Object.keys(environment).map((name) => `process.env.${name}`);
        const script = `process.stdout.write(JSON.stringify([process.argv.slice(1), [${names.join(",")}]]))`;
        const line = shellLine([process.execPath, "-e", script, "--", ...words], environment);
        const seen: unknown = JSON.parse(execFileSync("/bin/sh", ["-c", line], { encoding: "utf8" }));
        expect(seen).toEqual([words, values]);
      },
    ),
    { numRuns: 10 },
  );
});

test("a line for a shell stays as it is", () => {
  expect(shellLine("a | b", { X: "it's" })).toBe("export X='it'\\''s'; a | b");
  expect(shellLine(["a", "b c"], {})).toBe("'a' 'b c'");
});
