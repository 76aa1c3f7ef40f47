import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { canHaveOtherUsers } from "@ovault/test-support/throw-away-user";

import { openSession, startServer } from "./support/bench.ts";

const signal = new AbortController().signal;

/** Whatever the user has chosen to type commands into. */
const SHELLS = ["/bin/sh", "/bin/bash", "/bin/csh", "/usr/bin/fish"];

/** What a shell may take for itself. */
const HOSTILE = ["'", '"', "\\", "!", "$", "`", "\n", "*", "~", "#", "%", "\r", "!!", "$(id)", "\\'", "é", "\u{1f600}"];

const word = fc.oneof(
  fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", "")),
  fc.array(fc.constantFrom(...HOSTILE, " ", "a", "-", "=")).map((parts) => parts.join("")),
);

describe.skipIf(!(await canHaveOtherUsers())).each(SHELLS)("a log-in with %s", (shell) => {
  test("passes any arguments on, byte for byte", async () => {
    const server = await startServer({ otherUser: { shell } });
    await using session = await openSession(server);
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 5 }), async (words) => {
        const { stdout } = await session.run('printf "%s\\0" "$#" "$@" | od -An -v -tx1', words, { signal });
        const received = Buffer.from(stdout.replaceAll(/\s/g, ""), "hex").toString();
        expect(received.split("\0")).toEqual([`${words.length}`, ...words.map(wellFormed), ""]);
      }),
      { numRuns: 40 },
    );
  });

  test("gives the exit code, both outputs and a process that lives on", async () => {
    await using session = await openSession(await startServer({ otherUser: { shell } }));
    const result = await session.run("echo out; echo err >&2; exit 9", [], { signal, accept: [9] });
    expect(result).toEqual({ stdout: "out\n", stderr: "err\n", exitCode: 9 });
    const started = await session.start('echo "$1"; sleep 1000', ["it's up"], { signal });
    expect(started.ready).toBe("it's up");
    await started.close();
  });
});

/** A half of a surrogate pair has no form in UTF-8. */
function wellFormed(text: string): string {
  return text.toWellFormed();
}
